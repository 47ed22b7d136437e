# SPDX-License-Identifier: Apache-2.0
"""A plugin that remembers flows, in two layouts of its map, and one that refuses those unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.testing import plugin_codec, plugin_object

if TYPE_CHECKING:
    from tests.system.rig import Rig

    from axoneme import PluginObject
    from axoneme.datapath import Table

#: By layout: a field wider, one more, one less, and the others elsewhere.
_FIELDS = {
    1: "__u64 word; __u32 packets; __u32 once;",
    2: "__u32 added; __u32 more; __u64 packets; __u64 word;",
}
_TEXT = """
    #include <axoneme/plugin.h>

    AXN_REASON(flows_unknown, "A packet of no known flow");
    AXN_KNOB(__u8, flows_open, 1, "Whether flows may begin");

    struct flows_key {{
        union address address;
        __be16 port;
        __u8 pad[6];
    }};

    struct flows_flow {{ {fields} }};

    struct {{
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 4096);
        __type(key, struct flows_key);
        __type(value, struct flows_flow);
    }} flows_known SEC(".maps") AXN_LAYOUT({layout}) AXN_CARRIED_BY(word, 32);

    AXN_STAGE(track)
    {{
        struct flows_flow *flow, fresh = {{}};
        struct flows_key key = {{}};

        if (packet->tuple.proto != 17 || packet->tuple.dport != bpf_htons(9000))
            return AXN_NEXT;
        __builtin_memcpy(&key.address, &packet->tuple.saddr, sizeof(key.address));
        key.port = packet->tuple.sport;
        fresh.word = bpf_ktime_get_ns() >> 20 << 32 | 7;
        flow = bpf_map_lookup_elem(&flows_known, &key);
        if (flow) {{
            flow->word = fresh.word;
            __sync_fetch_and_add(&flow->packets, 1);
            return AXN_NEXT;
        }}
        if (!flows_open)
            return axn_drop(packet, flows_unknown);
        fresh.packets = 1;
        bpf_map_update_elem(&flows_known, &key, &fresh, BPF_NOEXIST);
        return AXN_NEXT;
    }}
"""


def flows(layout: int, *, begin: bool = True) -> PluginObject:
    """The plugin with one of its layouts; flows begin with it, or unknown ones are dropped."""
    text = _TEXT.format(fields=_FIELDS[layout], layout=layout)
    return plugin_object(text, "flows", knobs={"flows_open": int(begin)})


def known(rig: Rig, layout: int) -> Table:
    """The map in one of its layouts."""
    return rig.datapath.table("flows_known", plugin_codec(flows(layout)))


def key(number: int) -> dict[str, Any]:
    """The key of a flow that no packet of a test has."""
    return {"address": bytes(12) + number.to_bytes(4, "big"), "port": number}


def word(time: int) -> int:
    """The word of a flow that was seen at a time; 0 says that it is leaving."""
    return time << 32 | 7
