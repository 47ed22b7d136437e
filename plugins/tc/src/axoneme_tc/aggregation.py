# SPDX-License-Identifier: Apache-2.0
"""Which of a flow's packets are told of, as the knobs of track say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.config.durations import parse_duration
from axoneme.datapath.clock import units

from .config import Aggregation, TcpFlag

if TYPE_CHECKING:
    from .config import TcConfig

_BITS = {TcpFlag.FIN: 0x01, TcpFlag.SYN: 0x02, TcpFlag.RST: 0x04, TcpFlag.ACK: 0x10}
_ALWAYS, _NEVER = 0, 0xFFFFFFFF


def trace_knobs(config: TcConfig) -> dict[str, int]:
    """The interval in units of conntrack's clock, and the TCP flags as bits."""
    match config.monitor_aggregation:
        case Aggregation.NONE | Aggregation.LOW:
            interval, flags = _ALWAYS, 0
        case Aggregation.MAXIMUM:
            interval, flags = _NEVER, 0
        case Aggregation.MEDIUM:
            interval = units(parse_duration(config.monitor_aggregation_interval))
            flags = sum(_BITS[flag] for flag in set(config.monitor_aggregation_flags))
    return {"tc_trace_interval": interval, "tc_trace_flags": flags}
