# SPDX-License-Identifier: Apache-2.0
"""Two pods of a node that talk under policies, and packets of many flows between them."""

from __future__ import annotations

from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from attrs import evolve, frozen
from tests.bench.frames import tcp_frame
from tests.bench.measure import pinned
from tests.bench.pods import pipeline_objects
from tests.bench.results import BenchError

from axoneme import PluginObject
from axoneme._bpf import ffi, lib
from axoneme.datapath import (
    Datapath,
    IpcacheMaps,
    LibbpfLoader,
    LoadRequest,
    PolicyMaps,
    Remote,
    Verdict,
)
from axoneme.datapath.tables import Layout, Table
from axoneme.datapath.testruns import run_tc
from axoneme.model import pack_address
from axoneme.model.policy import Direction
from axoneme.model.rule_set import PolicyEntry, PolicyKey, RuleSet
from axoneme.testing import plugin_codec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from axoneme.datapath import LoadedObject
    from axoneme.testing import Node

SYN, SYN_ACK, ACK = 0x02, 0x12, 0x10
REPEATS = 1 << 16  # short, so that some of several find the CPU to themselves
_FLAGS_AT = 47
_TCP = 6
_IDENTITIES = 1001, 1002
_FIRST_OTHER = 5000
_PIPELINE, _NOTHING = 0, 1
#: Two generators of full period: flows are put in by one and asked for by the other.
PUT_IN, ASKED = (6364136223846793005, 1442695040888963407), (2862933555777941757, 3037000493)


@frozen
class Flows:
    """Which flows a run has packets of, and in which order; there are a power of two of them."""

    count: int = 1
    base: int = 0
    order: tuple[int, int] = ASKED
    reply: bool = False

    def row(self, program: int) -> dict[str, int]:
        """What the restoring program is told."""
        factor, step = self.order
        return {
            "position": 1,
            "factor": factor,
            "step": step,
            "mask": self.count - 1,
            "base": self.base,
            "next": program,
            "reply": int(self.reply),
        }


class Place:
    """A node with two pods, so many flows between them, and so many entries that do not matter."""

    def __init__(self, node: Node, source: Path, *, flows: int, room: int, others: int) -> None:
        self.node = node
        self.pods = node.add_pod(), node.add_pod()
        self.flows = flows
        self._source = source
        self._room = room
        self._fresh = flows
        with self.loaded() as runner:
            self._install(others)
            for flags, reply in ((SYN, False), (SYN_ACK, True), (ACK, False)):
                runner.packets(flags, Flows(flows, order=PUT_IN, reply=reply), repeat=flows)
            tracked = node.call(lambda: len(self.datapath.table("conntrack").read()))
        if tracked != flows:
            raise BenchError(f"{tracked} flows are tracked instead of {flows}")

    @contextmanager
    def loaded(self) -> Iterator[Runner]:
        """The pipeline, loaded anew: where its code happens to lie is worth some nanoseconds."""
        node, entries = self.node, {"conntrack": self._room}
        self.datapath = node.call(lambda: Datapath.open(node.bpffs, entries=entries))
        try:
            assembly = node.call(self.datapath.prepare, {"tc": pipeline_objects()})
            if assembly.refused:
                raise BenchError(f"not linked: {assembly.refused}")
            node.call(self.datapath.commit, assembly)
            self.rules = node.call(PolicyMaps.open, self.datapath)
            for pod, identity in zip(self.pods, _IDENTITIES, strict=True):
                endpoint = evolve(pod.endpoint(identity), rule_set=self.rules.slot(identity))
                node.call(self.datapath.add_endpoint, endpoint)
            with _restoring(self._source, assembly.programs["from_pod"].fd) as restoring:
                yield Runner(self, restoring)
        finally:
            node.call(self.datapath.close)

    def fresh(self, count: int) -> Flows:
        """Flows of which no packet was seen."""
        flows = Flows(count, base=self._fresh, order=PUT_IN)
        self._fresh += count
        if self._fresh > self._room:
            raise BenchError("there is no room for more flows")
        return flows

    def _install(self, others: int) -> None:
        """Rule sets of both pods, and what else an agent writes."""
        one, two = _IDENTITIES
        strangers = range(_FIRST_OTHER, _FIRST_OTHER + others)
        for own, peer, direction in ((one, two, Direction.EGRESS), (two, one, Direction.INGRESS)):
            keys = [PolicyKey.of(direction, peer, _TCP)]
            keys += [PolicyKey.of(direction, number, _TCP, 80, 16) for number in strangers]
            entries = {key: PolicyEntry(16 + n) for n, key in enumerate(keys)}
            rule_set = RuleSet(entries, default_deny_ingress=True, default_deny_egress=True)
            self.node.call(self.rules.install, self.rules.slot(own), rule_set)
        known = {
            address: Remote(identity)
            for pod, identity in zip(self.pods, _IDENTITIES, strict=True)
            for address in pod.addresses
        }
        known |= {IPv4Address("10.200.0.0") + n: Remote(i) for n, i in enumerate(strangers)}
        addresses = self.node.call(IpcacheMaps.open, self.datapath, self.rules.runtime)
        self.node.call(addresses.replace, known)
        rest = {"mac": bytes(6), "node_mac": bytes(6), "flags": 0, "ifindex": 1, "rule_set": 0}
        rows = [
            (pack_address(IPv4Address("10.200.0.0") + n), rest | {"id": i, "identity": i})
            for n, i in enumerate(strangers)
        ]
        self.node.call(self.datapath.table("endpoints").write, rows)


class Runner:
    """Runs packets through a pipeline that is loaded."""

    def __init__(self, place: Place, restoring: LoadedObject) -> None:
        self._place = place
        self._programs = {name: p.fd for name, p in restoring.programs.items()}
        layout = Layout.of(plugin_codec(PluginObject(place._source)), "restoring")
        self._state = Table(restoring.maps["restoring"].fd, layout)

    def packets(self, flags: int, flows: Flows, *, repeat: int = REPEATS) -> float:
        """Nanoseconds a packet, with what restoring it costs."""
        return self._run("restore", Verdict.REDIRECT, flags, flows, _PIPELINE, repeat)

    def restoring(self, flows: Flows) -> float:
        """Nanoseconds of restoring, and of a program that does nothing."""
        return self._run("restore", Verdict.PASS, ACK, flows, _NOTHING, REPEATS)

    def nothing(self) -> float:
        """Nanoseconds of a program that does nothing, by itself."""
        return self._run("nothing", Verdict.PASS, ACK, Flows(), _NOTHING, REPEATS)

    def _run(
        self, name: str, wanted: Verdict, flags: int, flows: Flows, program: int, repeat: int
    ) -> float:
        sender, receiver = self._place.pods[:: -1 if flows.reply else 1]
        frame = bytearray(tcp_frame(sender, receiver))
        frame[_FLAGS_AT] = flags
        self._state.write([(0, flows.row(program))])
        with pinned():
            found = self._place.node.call(
                run_tc, self._programs[name], bytes(frame), ifindex=sender.ifindex, repeat=repeat
            )
        if found.verdict is not wanted:  # what fails early is fast
            raise BenchError(f"{wanted.name} was expected, not {found.verdict.name}")
        return found.nanoseconds


@contextmanager
def _restoring(source: Path, pipeline: int) -> Iterator[LoadedObject]:
    """The restoring program, in front of a pipeline."""
    loaded = LibbpfLoader().load(LoadRequest("restore", source.read_bytes()))
    try:
        for slot, fd in ((_PIPELINE, pipeline), (_NOTHING, loaded.programs["nothing"].fd)):
            key, value = ffi.new("uint32_t *", slot), ffi.new("uint32_t *", fd)
            error = lib.bpf_map_update_elem(loaded.maps["programs"].fd, key, value, 0)
            if error:
                raise BenchError(f"the pipeline cannot be called: error {-error}")
        yield loaded
    finally:
        loaded.close()
