# SPDX-License-Identifier: Apache-2.0
"""The hooks of the tc plugin."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from axoneme import PluginObject, hookimpl
from axoneme.config.durations import parse_duration
from axoneme.datapath.clock import units

from .aggregation import trace_knobs
from .config import TcConfig
from .lookups import lookups
from .remembering import recall_knobs, recalls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.datapath import Datapath, Step
    from axoneme.model import Lookup


@hookimpl
def axoneme_config() -> type[TcConfig]:
    """The section [tc]."""
    return TcConfig


@hookimpl
def axoneme_objects(config: TcConfig) -> list[PluginObject]:
    """One object a stage, each of which can be off."""
    chosen = {
        "admit": config.admit,
        "policy": config.policy,
        "forward": config.forward,
        "deliver": config.deliver,
        "identify": config.overlay,
        "stamp": config.overlay,
        "track": config.track,
        "collect": config.track,
        "recall": recalls(config),
    }
    knobs = {
        "policy": {"tc_allow_host": config.allow_host},
        "forward": {"tc_legacy_routing": config.enable_host_legacy_routing},
        "track": _timeouts(config) | trace_knobs(config),
        "recall": recall_knobs(config),
    }
    sizes = {"track": {"tc_fragments": config.bpf_fragments_map_max}}
    bpf = files("axoneme_tc") / "bpf"
    return [
        PluginObject(bpf / f"{name}.bpf.o", knobs.get(name, {}), sizes.get(name, {}))
        for name, on in chosen.items()
        if on
    ]


def _timeouts(config: TcConfig) -> dict[str, int]:
    spans = {
        "tc_timeout_tcp": config.bpf_ct_timeout_regular_tcp,
        "tc_timeout_tcp_syn": config.bpf_ct_timeout_regular_tcp_syn,
        "tc_timeout_tcp_fin": config.bpf_ct_timeout_regular_tcp_fin,
        "tc_timeout_any": config.bpf_ct_timeout_regular_any,
        "tc_timeout_any_new": config.bpf_ct_timeout_regular_any_unreplied,
    }
    return {knob: units(parse_duration(span)) for knob, span in spans.items()}


@hookimpl
def axoneme_explain(step: Step, datapath: Datapath) -> Iterable[Lookup]:
    """What the plugin's stages look up."""
    return lookups(step, datapath)
