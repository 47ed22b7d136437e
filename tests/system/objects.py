# SPDX-License-Identifier: Apache-2.0
"""Plugins of the tests: what they do is in their C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.testing import plugin_object

if TYPE_CHECKING:
    from typing import Any

    from axoneme import PluginObject

_GATE = """
    #include <axoneme/plugin.h>

    AXN_REASON(gate_shut, "The gate is shut");
    AXN_KNOB(__u16, gate_port, 0, "The port that is shut");

    struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 16);
        __type(key, __u32);
        __type(value, __u64);
    } gate_passed SEC(".maps");

    AXN_STAGE(policy)
    {
        __u32 key = packet->trunk;
        __u64 *count, one = 1;

        if (gate_port && packet->tuple.dport == bpf_htons(gate_port))
            return axn_drop(packet, gate_shut);
        count = bpf_map_lookup_elem(&gate_passed, &key);
        if (count)
            __sync_fetch_and_add(count, 1);
        else
            bpf_map_update_elem(&gate_passed, &key, &one, BPF_ANY);
        return AXN_NEXT;
    }
"""

#: A stage that the verifier refuses: it reads beyond what it has checked.
_WILD = """
    #include <axoneme/plugin.h>
    AXN_STAGE({stage})
    {{
        __u8 *data = (void *)(long)ctx->data;

        return data[4000] ? AXN_NEXT : AXN_PASS;
    }}
"""


def gate(port: int = 0, **options: Any) -> PluginObject:
    """A plugin with a knob, a reason and a map, that shuts a port."""
    return plugin_object(_GATE, "gate", knobs={"gate_port": port}, **options)


def wild(stage: str = "policy") -> PluginObject:
    """A plugin whose stage is refused by the verifier."""
    return plugin_object(_WILD.format(stage=stage), "wild")


def idle(stage: str = "policy") -> PluginObject:
    """A plugin that fills a stage and does nothing."""
    return plugin_object(f"#include <axoneme/plugin.h>\nAXN_STAGE({stage}) {{ return AXN_NEXT; }}")
