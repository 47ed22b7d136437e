# SPDX-License-Identifier: Apache-2.0
"""What nobody was told of, counted: where the kernel had no room, and where a rate was exceeded."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from attrs import asdict, define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from axoneme.datapath import EventCount, EventType


class Source(StrEnum):
    """Where events were lost."""

    RING_BUFFER = "ring-buffer"
    RATE_LIMIT = "rate-limit"
    MONITOR = "monitor"


#: What a type of events is called, by its name in EventType.
TYPE_NAMES = {"DROPS": "drop", "VERDICTS": "policy-verdict", "FLOWS": "trace"}


@frozen
class Lost:
    """So many events that came to nobody, of a type and a CPU where that is known.

    The time is the kernel's, CLOCK_MONOTONIC, until a reader makes it one of the day.
    """

    time: int
    source: Source
    count: int
    type: str | None = None
    cpu: int | None = None

    def as_json(self) -> dict[str, Any]:
        """As it is sent."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], offset: int) -> Lost:
        """As it was sent, with what its time lacks."""
        fields = {**value, "time": value["time"] + offset, "source": Source(value["source"])}
        return cls(**fields)


@define
class LossMeter:
    """Finds how many were lost since it was asked last."""

    _before: dict[tuple[EventType, int], EventCount] = field(factory=dict, init=False)

    def measure(self, counts: Iterable[EventCount], time: int) -> list[Lost]:
        """What was lost since; nothing the first time."""
        first = not self._before
        found: list[Lost] = []
        for count in counts:
            key = count.type, count.cpu
            before = self._before.get(key)
            self._before[key] = count
            if not first and before is not None:
                found += _between(before, count, time)
        return found


def _between(before: EventCount, after: EventCount, time: int) -> Iterator[Lost]:
    name = TYPE_NAMES[after.type.name]
    lost, limited = after.lost - before.lost, after.limited - before.limited
    if lost > 0:
        yield Lost(time, Source.RING_BUFFER, lost, name, after.cpu)
    if limited > 0:
        yield Lost(time, Source.RATE_LIMIT, limited, name, after.cpu)
