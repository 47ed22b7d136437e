# SPDX-License-Identifier: Apache-2.0
"""Events as the trunks tell of them: packed rows out of the kernel's ring buffer.

A row is what `struct event` of the header axoneme/event.h is. Rows stay packed until somebody wants
one of them: what is not asked for is never made an object.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from itertools import groupby
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from axoneme._bpf import ffi, lib
from axoneme.errors import DatapathError

from ._layout import Layout
from .images import shared_codec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._layout import Record
    from .datapath import Datapath
    from .maps import Maps

_MAP, _COUNTERS = "events", "event_counters"
_BATCH = 1 << 14
_TERM_BYTES = 16
_WHOLE = b"\xff" * _TERM_BYTES
#: struct axn_term
_TERM = struct.Struct("=IIHH16s16s")


class EventKind(IntFlag):
    """What an event tells: enum axn_event_kind."""

    DROP = 1 << 0
    EGRESS_VERDICT = 1 << 1
    INGRESS_VERDICT = 1 << 2
    OPENED = 1 << 3
    CLOSED = 1 << 4
    TRACE = 1 << 5


class EventType(IntEnum):
    """What is limited and counted by itself: enum axn_event_type."""

    DROPS = 0
    VERDICTS = 1
    FLOWS = 2


#: The kinds of each type.
KINDS = {
    EventType.DROPS: EventKind.DROP,
    EventType.VERDICTS: EventKind.EGRESS_VERDICT | EventKind.INGRESS_VERDICT,
    EventType.FLOWS: EventKind.OPENED | EventKind.CLOSED | EventKind.TRACE,
}


def event_record() -> Record:
    """The layout of a row: its size, and its fields by their dotted names."""
    return Layout.of(shared_codec(), _MAP).value


@frozen
class EventTerm:
    """A field of a row, by its dotted name, has these bytes, where the mask has bits."""

    name: str
    value: bytes
    mask: bytes = b""


@frozen
class EventCount:
    """How many events there were, of one type and CPU, since the map was made.

    seen = sent + lost + limited: lost when the ring buffer was full, limited by the rate.
    """

    type: EventType
    cpu: int
    seen: int
    sent: int
    lost: int
    limited: int


@frozen
class EventFilter:
    """Chooses rows: every clause must hold, and does if one of its terms does."""

    clauses: tuple[tuple[EventTerm, ...], ...] = ()
    _terms: Any = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        runs = [(n, run) for n, clause in enumerate(self.clauses) for run in _runs(clause)]
        places = {one.name: one for one in event_record().fields}
        packed = bytearray()
        for number, run in runs:
            known = places[run[0].name]
            for left, term in zip(range(len(run), 0, -1), run, strict=True):
                size = len(term.value)
                if size > min(known.size, _TERM_BYTES):
                    raise ValueError(f"{term.name} has {known.size} bytes, not {size}")
                mask = term.mask or _WHOLE
                packed += _TERM.pack(number, left, known.offset, size, term.value, mask)
        object.__setattr__(self, "_terms", ffi.from_buffer("struct axn_term[]", packed))

    def choose(self, rows: bytes) -> bytes:
        """The rows that are chosen, packed."""
        count = sum(map(len, self.clauses))
        if not count or not rows:
            return rows
        size = event_record().size
        chosen = ffi.new("uint32_t[]", len(rows) // size)
        with ffi.from_buffer(rows) as given:
            found = lib.axn_select(given, size, len(rows) // size, self._terms, count, chosen)
            out = bytearray(found * size)
            with ffi.from_buffer(out) as to:
                lib.axn_gather(to, given, size, chosen, found)
        return bytes(out)


def _runs(clause: Sequence[EventTerm]) -> Iterator[list[EventTerm]]:
    """The terms that are asked for together: those of a field, sorted, and each with a mask."""
    for _, run in groupby(sorted(clause, key=_order), key=lambda term: _order(term)[:2]):
        terms = list(run)
        yield from [[term] for term in terms] if terms[0].mask else [terms]


def _order(term: EventTerm) -> tuple[str, int, bytes, bytes]:
    return term.name, 0 if term.mask else len(term.value), term.value, term.mask


@define
class EventReader:
    """The one reader of a node's ring buffer. It may be used by any one thread at a time."""

    _ring: Any
    _size: int
    _room: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._room = ffi.new("char[]", _BATCH * self._size)

    @classmethod
    def of(cls, datapath: Datapath) -> EventReader:
        """The reader of a datapath that has been committed; it holds its map.

        Raises:
            DatapathError: the kernel refuses to map the ring buffer.
        """
        size = event_record().size
        ring = lib.axn_ring_open(datapath.maps.descriptor(_MAP), size)
        if ring == ffi.NULL:
            raise DatapathError(f"the ring buffer of events cannot be read: errno {ffi.errno}")
        return cls(ring, size)

    def read(self) -> bytes:
        """The rows that have come since, at most 16,384 of them; nothing if there are none."""
        count = lib.axn_ring_read(self._ring, self._room, _BATCH)
        if count < 0:
            raise DatapathError(f"the ring buffer of events cannot be read: errno {-count}")
        return bytes(ffi.buffer(self._room, count * self._size))

    def close(self) -> None:
        """Let go of it; what has not been read is left for the next one."""
        if self._ring is not None:
            lib.axn_ring_close(self._ring)
            self._ring = None


def decode_events(rows: bytes) -> Iterator[dict[str, Any]]:
    """Each row as a dict by dotted names."""
    record = event_record()
    for offset in range(0, len(rows), record.size):
        yield record.decode(rows, offset)


def read_event_counts(maps: Maps) -> Sequence[EventCount]:
    """How many events there were, by type and CPU."""
    found = []
    for number, values in maps.table(_COUNTERS).read():
        for cpu, value in enumerate(values):
            counts = (value[name] for name in ("seen", "sent", "lost", "limited"))
            found.append(EventCount(EventType(number), cpu, *counts))
    return found
