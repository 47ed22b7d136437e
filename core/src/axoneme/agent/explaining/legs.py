# SPDX-License-Identifier: Apache-2.0
"""One program on a packet's way: the probe is run again and again, and the least times count."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from axoneme.agent.frames import frame, unframed
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from axoneme.datapath import Datapath, Step, TestRun, TunnelKey, Verdict

#: Enough that each lane has run once with warm caches and without an interrupt. A packet that is
#: routed each time still has hops left.
_ROUNDS: Final = 8
_REPEAT: Final = 32
NO_MAC: Final = bytes(6)


@frozen
class Door:
    """Where a packet meets a program: the trunk at a device, and the ends of the link there."""

    trunk: str
    device: str
    ifindex: int
    source: bytes = NO_MAC
    target: bytes = NO_MAC
    tunnel: TunnelKey | None = None


@frozen
class Leg:
    """What the program of a door made of a packet."""

    door: Door
    verdict: Verdict
    packet: bytes
    steps: tuple[Step, ...]

    @property
    def flags(self) -> int:
        """The flags of struct packet at the end."""
        return int(self.steps[-1].packet["flags"]) if self.steps else 0

    @property
    def out_ifindex(self) -> int:
        """The device to which a packet was redirected."""
        return int(self.steps[-1].packet["out_ifindex"]) if self.steps else 0


def run_leg(datapath: Datapath, door: Door, packet: bytes) -> Leg:
    """Probe the program of a door.

    Raises:
        AxonemeError: the device is gone, or the kernel refuses.
    """
    data = frame(packet, door.source, door.target)
    try:
        run, steps = _probe(datapath, door, data)
    except OSError as error:
        raise AxonemeError(f"no probe can be sent through {door.trunk}: {error}") from error
    return Leg(door, run.verdict, unframed(run.packet), _timed(datapath, door, data, steps))


def _timed(
    datapath: Datapath, door: Door, data: bytes, steps: tuple[Step, ...]
) -> tuple[Step, ...]:
    """Give each step the least time that it took in some runs.

    The packet is not restored between them: a stage that goes another way with what it has
    rewritten keeps the time of its first run.
    """
    for _ in range(_ROUNDS):
        with suppress(OSError):
            steps = _least(steps, _probe(datapath, door, data, _REPEAT)[1])
    return steps


def _probe(
    datapath: Datapath, door: Door, data: bytes, repeat: int = 1
) -> tuple[TestRun, tuple[Step, ...]]:
    return datapath.probe(door.trunk, data, ifindex=door.ifindex, tunnel=door.tunnel, repeat=repeat)


def _least(steps: tuple[Step, ...], again: tuple[Step, ...]) -> tuple[Step, ...]:
    if list(map(_answer, steps)) != list(map(_answer, again)):
        return steps
    pairs = zip(steps, again, strict=True)
    return tuple(evolve(a, nanoseconds=min(a.nanoseconds, b.nanoseconds)) for a, b in pairs)


def _answer(step: Step) -> tuple[object, ...]:
    return step.trunk, step.stage, step.lane, step.verdict
