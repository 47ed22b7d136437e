# SPDX-License-Identifier: Apache-2.0
"""Whether sockets keep verdicts, for how long, and which packets go the whole way all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.config.durations import parse_duration
from axoneme.datapath.clock import jiffies

from .aggregation import trace_knobs
from .config import Aggregation

if TYPE_CHECKING:
    from .config import TcConfig

_OPENS_OR_ENDS = 0x07  # FIN, SYN, RST: connection tracking must see them


def recalls(config: TcConfig) -> bool:
    """Whether packets are recalled: not where every one of them is told of, as track does."""
    told_of_all = config.monitor_aggregation in {Aggregation.NONE, Aggregation.LOW}
    return config.socket_cache and config.track and not told_of_all


def recall_knobs(config: TcConfig) -> dict[str, int]:
    """The lease in jiffies, and the TCP flags that somebody waits for as bits."""
    lease = parse_duration(config.socket_cache_lease)
    return {
        "tc_socket_lease": max(1, round(lease * jiffies().hz)),
        "tc_socket_after": config.socket_cache_after,
        "tc_socket_flags": _OPENS_OR_ENDS | trace_knobs(config)["tc_trace_flags"],
    }
