# SPDX-License-Identifier: Apache-2.0
"""Somebody else's programs, which count the packets that they see and let them go on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from axoneme._bpf import ffi, lib
from axoneme.datapath import LibbpfLoader, LoadRequest
from axoneme.datapath._kernel import check, program_name
from axoneme.testing import compile_text

if TYPE_CHECKING:
    from axoneme.testing import Node

_SOURCE = """
    #include <linux/bpf.h>
    #include <linux/pkt_cls.h>
    #include <bpf/bpf_helpers.h>
    #include <bpf/bpf_endian.h>

    struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __type(key, __u32);
        __type(value, __u64);
    } seen SEC(".maps");

    /* IPv4 without options, UDP, port 9000: what tests send. */
    static int counted(void *data, void *end, int verdict)
    {
        __u32 key = 0;
        __u64 *count = bpf_map_lookup_elem(&seen, &key);
        __be16 *port = data + 36;

        if (count && (void *)(port + 1) <= end && *port == bpf_htons(9000))
            __sync_fetch_and_add(count, 1);
        return verdict;
    }

    #define COUNT(verdict) \
        counted((void *)(long)ctx->data, (void *)(long)ctx->data_end, verdict)

    SEC("tc") int foreign_tc(struct __sk_buff *ctx) { return COUNT(TC_ACT_UNSPEC); }
    SEC("xdp") int foreign_xdp(struct xdp_md *ctx) { return COUNT(XDP_PASS); }

    char LICENSE[] SEC("license") = "GPL";
"""


class Foreign:
    """A program of another tool at one place, loaded and attached in the calling thread's node."""

    def __init__(self, node: Node, kind: str = "tc") -> None:
        self._node = node
        data = compile_text(_SOURCE, "foreign").read_bytes()
        self._loaded = LibbpfLoader().load(LoadRequest("foreign", data))
        self.program = self._loaded.programs[f"foreign_{kind}"].fd
        self._links: list[int] = []

    def attach_tcx(self, ifindex: int, *, egress: bool = False, first: bool = False) -> None:
        """Attach by a tcx link, behind or before all others."""
        side = lib.AXN_TCX_EGRESS if egress else lib.AXN_TCX_INGRESS
        flags = lib.AXN_F_BEFORE if first else lib.AXN_F_AFTER
        self._link(ifindex, side, flags)

    def attach_xdp(self, ifindex: int, *, generic: bool = False) -> None:
        """Attach at XDP."""
        flags = lib.XDP_FLAGS_SKB_MODE if generic else lib.XDP_FLAGS_DRV_MODE
        self._link(ifindex, lib.BPF_XDP, flags)

    def _link(self, ifindex: int, kind: int, flags: int) -> None:
        create = lib.axn_link_create
        self._links.append(check(self._node.call(create, self.program, ifindex, kind, flags, 0, 0)))

    def attach_clsact(self, ifindex: int, *, handle: int, priority: int) -> None:
        """Attach by an ingress filter."""
        self._node.call(lib.axn_tc_create, ifindex, lib.BPF_TC_INGRESS)
        where = (ifindex, lib.BPF_TC_INGRESS, self.program, handle, priority)
        check(self._node.call(lib.axn_tc_attach, *where, lib.BPF_TC_F_REPLACE))

    @property
    def seen(self) -> int:
        """How many packets came by."""
        key, value = ffi.new("uint32_t *", 0), ffi.new("uint64_t *")
        check(lib.bpf_map_lookup_elem(self._loaded.maps["seen"].fd, key, value))
        return int(value[0])

    def close(self) -> None:
        """Detach what is attached by links, and let go."""
        while self._links:
            os.close(self._links.pop())
        self._loaded.close()


def tcx_programs(node: Node, ifindex: int, *, egress: bool = False) -> list[str]:
    """The names of the programs at one side of a device, in the order in which they run."""
    ids, count = ffi.new("uint32_t[]", 64), ffi.new("uint32_t *", 64)
    side = lib.AXN_TCX_EGRESS if egress else lib.AXN_TCX_INGRESS
    query = (ifindex, side, 0, ids, ffi.NULL, count, ffi.NULL, ffi.NULL)
    check(node.call(lib.axn_prog_query, *query))
    return [program_name(ids[n]) for n in range(count[0])]
