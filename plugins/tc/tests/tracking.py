# SPDX-License-Identifier: Apache-2.0
"""Connection tracking under a microscope: two pods, and a plugin that grants and watches.

The plugin stands where policy stands: it lets every packet pass, grants what was not granted under
the rule that it was told, and keeps struct packet as the stages behind it see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from axoneme._bpf import lib
from axoneme.datapath import Runtime
from axoneme.datapath.clock import units
from axoneme.datapath.conntrack import read_flows
from axoneme.host import entry_points
from axoneme.testing import fake_plugin, plugin_codec, plugin_object
from axoneme.testing.packets import ICMP, SCTP, TCP, UDP, ICMPv6, IPv4, IPv6, frame
from axoneme.testing.pipelines import Pipeline
from axoneme_tc import _codec

if TYPE_CHECKING:
    from axoneme.datapath import TestRun
    from axoneme.datapath.conntrack import Flow
    from axoneme.testing import Node, Packet, Pod

NONE, NEW, ESTABLISHED, REPLY, RELATED = range(5)
EGRESS_GRANTED, INGRESS_GRANTED, COMMIT = 16, 32, 64
ONE4, TWO4, OUTSIDE4 = "10.1.0.1", "10.1.0.2", "203.0.113.7"
ONE6, TWO6, OUTSIDE6 = "fd00:10:1::1", "fd00:10:1::2", "2001:db8::7"
TCP_SECONDS, SYN_SECONDS, FIN_SECONDS, ANY_SECONDS, NEW_SECONDS = 1000, 100, 40, 200, 60
SETTINGS = f"""
[tc]
admit = false
policy = false
bpf-ct-timeout-regular-tcp = {TCP_SECONDS}
bpf-ct-timeout-regular-tcp-syn = {SYN_SECONDS}
bpf-ct-timeout-regular-tcp-fin = {FIN_SECONDS}
bpf-ct-timeout-regular-any = {ANY_SECONDS}
bpf-ct-timeout-regular-any-unreplied = {NEW_SECONDS}
"""
WATCH = """
    #include <axoneme/plugin.h>

    struct watch_row {
        struct packet seen;
        __u64 calls;
        __u32 asked;    /* the flow was not granted yet */
        __u32 deny;     /* drop everything */
        __u32 rule;     /* for what is granted */
        __u32 pad;
    };

    AXN_MAP(ARRAY, watch_rows, 2, __u32, struct watch_row);

    /* What the kernels of node and pods say to their links meanwhile is no packet of a test's. */
    static __always_inline bool is_links_own(const union address *address)
    {
        return (!address->half[0] && !address->half[1]) ||
               (address->word[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
    }

    AXN_STAGE(policy)
    {
        __u32 direction = packet->direction;
        struct watch_row *row = bpf_map_lookup_elem(&watch_rows, &direction);
        __u32 granted = direction ? AXN_INGRESS_GRANTED : AXN_EGRESS_GRANTED;

        if (!row || is_links_own(&packet->tuple.saddr))
            return AXN_NEXT;
        row->seen = *packet;
        row->calls++;
        if (packet->conntrack >= AXN_CONNTRACK_REPLY || packet->flags & granted)
            return AXN_NEXT;
        row->asked++;
        if (row->deny)
            return axn_drop(packet, AXN_REASON_POLICY_DENIED);
        if (direction)
            packet->ingress_rule = row->rule;
        else
            packet->egress_rule = row->rule;
        packet->flags |= granted | AXN_COMMIT;
        return AXN_NEXT;
    }
"""
#: SCTP's chunks by the flags of TCP that mean the same.
CHUNKS = {"S": 1, "SA": 2, "A": 0, "R": 6, "FA": 7}


class Tracking:
    """The pipeline, its two pods, and what the watching plugin saw."""

    def __init__(self, node: Node, settings: str = SETTINGS, *, tracks: bool = True) -> None:
        watch = plugin_object(WATCH, "watch")
        plugin = fake_plugin("watch", watch)
        self.pipeline = Pipeline(
            node, ["tc", "watch"], settings, entry_points=lambda: [*entry_points(), plugin]
        )
        assert self.pipeline.status("tc") == "on"
        assert self.pipeline.status("watch") == "on"
        self.node = node
        self.one = self.pipeline.add_pod("one")
        self.two = self.pipeline.add_pod("two")
        datapath = self.pipeline.datapath
        self.conntrack = datapath.table("conntrack")
        self.fragments = datapath.table("tc_fragments", _codec) if tracks else None
        self.watched = datapath.table("watch_rows", plugin_codec(watch))
        self.runtime = Runtime.open(datapath)
        self.reset()

    def reset(self) -> Self:
        """Forget all flows and what was watched; grant everything under rules 16 and 17."""
        self.conntrack.clear()
        if self.fragments is not None:
            self.fragments.clear()
        self.pipeline.datapath.table("drops").clear()
        self.runtime.put(generation=1, seed=0x5EED)
        zero = dict.fromkeys(("calls", "asked", "deny", "rule"), 0)
        for direction in (0, 1):
            self.watched.write(
                [(direction, _blank(self.watched) | zero | {"rule": 16 + direction})]
            )
        return self

    def generation(self, number: int) -> None:
        """Begin a generation."""
        self.runtime.put(generation=number, seed=0x5EED)

    def tell(self, direction: int, **row: int) -> None:
        """Tell the plugin to deny, or which rule grants from now on."""
        self.watched.write([(direction, self.watched[direction] | row)])

    def send(
        self, packet: Packet | bytes, pod: Pod | None = None, trunk: str = "from_pod"
    ) -> TestRun:
        """Run a packet as if a pod had sent it, the first one unless said; or as if one got it."""
        return self.pipeline.run(trunk, bytes(packet), pod=pod or self.one)

    def seen(self, direction: int = 0) -> dict[str, Any]:
        """struct packet as the policy of a direction found it."""
        row = self.watched[direction]
        return {n.removeprefix("seen."): v for n, v in row.items() if n.startswith("seen.")}

    def state(self, packet: Packet | bytes, pod: Pod | None = None, trunk: str = "from_pod") -> int:
        """Send a packet; what its place in its flow was."""
        self.send(packet, pod, trunk)
        return int(self.seen(1 if trunk == "to_pod" else 0)["conntrack"])

    def asked(self) -> tuple[int, int]:
        """How often egress and ingress were not granted yet."""
        return self.watched[0]["asked"], self.watched[1]["asked"]

    def flows(self) -> list[Flow]:
        """What the map has."""
        return list(read_flows(self.conntrack))

    @property
    def flow(self) -> Flow:
        """The one flow that the map has."""
        (found,) = self.flows()
        return found

    def raw(self) -> dict[bytes, bytes]:
        """The map's bytes."""
        return {
            keys[at * 40 : at * 40 + 40]: values[at * 40 : at * 40 + 40]
            for keys, values in self.conntrack.read().batches()
            for at in range(len(keys) // 40)
        }

    def overwrite(self, entries: dict[bytes, bytes]) -> None:
        """Write entries as they are: nobody else is at work in a test."""
        for key, value in entries.items():
            assert lib.bpf_map_update_elem(self.conntrack.fd, key, value, 0) == 0

    def advance(self, seconds: float) -> None:
        """Let time pass: every expiry comes nearer."""
        span = units(seconds)
        self.overwrite(
            {key: _earlier(value[:8], span) + value[8:] for key, value in self.raw().items()}
        )

    def reported_before(self, seconds: float) -> None:
        """Let the last trace of both sides of each flow be so long ago."""
        span = units(seconds)
        at = next(f.offset for f in self.conntrack.layout.value.fields if f.name == "reported[0]")
        self.overwrite(
            {k: v[:at] + _before(v[at:], span) + v[at + 8 :] for k, v in self.raw().items()}
        )

    def reasons(self) -> dict[str, int]:
        """Packets dropped by the reason's name since the last reset."""
        return {name: n for name, n in self.pipeline.drop_reasons().items() if n}

    def close(self) -> None:
        """Take the pipeline away."""
        self.pipeline.close()


def between(family: int, protocol: str, *, back: bool = False, flags: str = "") -> Packet:
    """A packet from the first pod to the second, or back."""
    here, there = ((ONE4, TWO4), (ONE6, TWO6))[family == 6][:: -1 if back else 1]
    ports = (80, 40000) if back else (40000, 80)
    ip = (IPv6 if family == 6 else IPv4)(here, there)
    match protocol:
        case "TCP":
            return frame(ip, TCP(*ports, flags=flags or ("SA" if back else "S")))
        case "UDP":
            return frame(ip, UDP(*ports), b"data")
        case "SCTP":
            chunk = CHUNKS[flags or ("SA" if back else "S")]
            return frame(ip, SCTP(*ports), bytes([chunk, 0, 0, 4]))
        case "ICMP":
            kind = ICMPv6 if family == 6 else ICMP
            return frame(ip, kind.echo(7, reply=back), b"data")
        case _:
            if family == 6:
                return frame(IPv6(here, there, 47), b"data")
            return frame(IPv4(here, there, 47), b"data")


def datagram(source: str, destination: str, sport: int = 40000, dport: int = 80) -> Packet:
    """A frame with a UDP datagram."""
    ip = (IPv6 if ":" in source else IPv4)(source, destination)
    return frame(ip, UDP(sport, dport), b"data")


def connect(track: Tracking, family: int = 4) -> None:
    """Open a connection from the first pod to the second."""
    for back, flags in ((False, "S"), (True, "SA"), (False, "A")):
        track.send(between(family, "TCP", back=back, flags=flags), track.two if back else track.one)


def _blank(table: Any) -> dict[str, Any]:
    return {
        one.name: bytes(one.size) if one.kind == "bytes" else 0 for one in table.layout.value.fields
    }


def _before(reported: bytes, span: int) -> bytes:
    times = (int.from_bytes(reported[at : at + 4], "little") for at in (0, 4))
    return b"".join(max(0, time - span).to_bytes(4, "little") for time in times)


def _earlier(word: bytes, span: int) -> bytes:
    expiry = max(1, int.from_bytes(word[4:], "little") - span)  # 0 would say that it is leaving
    return word[:4] + expiry.to_bytes(4, "little")
