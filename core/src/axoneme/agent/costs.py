# SPDX-License-Identifier: Apache-2.0
"""What plugins cost a packet: what the kernel counts of each program, and probes of each lane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.datapath import Verdict
from axoneme.datapath.runtimes import runs_of

from .frames import frame
from .pods import GATEWAY4, GATEWAY6
from .probes import datagram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.datapath import Datapath, Step
    from axoneme.model import Address, Endpoint

#: Of so many probes the least counts: the others were disturbed, or the caches were cold.
_PROBES = 100


def count_runs(datapath: Datapath) -> list[dict[str, Any]]:
    """What the kernel has counted of each trunk, which it does only while somebody asks it to."""
    found = []
    for name, program in sorted(datapath.assembly.programs.items()):
        runs = runs_of(program.fd)
        found.append({"name": name, "runs": runs.count, "nanoseconds": runs.nanoseconds})
    return found


def lane_costs(datapath: Datapath) -> list[dict[str, Any]]:
    """Nanoseconds of each lane that a packet from a pod, and one to a pod, goes through."""
    least: dict[tuple[str, str, str], int] = {}
    for trunk, packet, ifindex in _packets(list(datapath.endpoints.values())):
        if trunk not in datapath.assembly.programs:
            continue
        for _ in range(_PROBES):
            run, steps = datapath.probe(trunk, packet, ifindex=ifindex)
            if run.verdict is Verdict.DROP and not steps:
                break
            for lane, nanoseconds in _lanes(datapath, steps):
                least[lane] = min(nanoseconds, least.get(lane, nanoseconds))
    return [
        {"plugin": plugin, "trunk": trunk, "stage": stage, "nanoseconds": nanoseconds}
        for (plugin, trunk, stage), nanoseconds in least.items()
    ]


def _lanes(
    datapath: Datapath, steps: tuple[Step, ...]
) -> Iterator[tuple[tuple[str, str, str], int]]:
    """The lanes that a probe went through, and how long each took."""
    lanes = datapath.assembly.lanes
    for step in steps:
        yield (lanes[step.stage][step.lane], step.trunk, step.stage), step.nanoseconds


def _packets(endpoints: list[Endpoint]) -> Iterator[tuple[str, bytes, int]]:
    """A datagram from a pod to another one, or to the gateway, and one from the gateway to it."""
    if not endpoints:
        return
    pod, other = endpoints[0], endpoints[-1]
    for address in pod.addresses[:1]:
        gateway: Address = GATEWAY4 if address.version == 4 else GATEWAY6
        peers = (a for a in other.addresses if other is not pod and a.version == address.version)
        to = next(peers, gateway)
        yield "from_pod", frame(datagram(address, to), pod.mac, pod.node_mac), pod.ifindex
        back = frame(datagram(gateway, address), pod.node_mac, pod.mac)
        yield "to_pod", back, pod.ifindex
