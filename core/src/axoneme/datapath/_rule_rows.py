# SPDX-License-Identifier: Apache-2.0
"""Rule sets as the rows of the maps, packed by columns."""

from __future__ import annotations

from array import array
from itertools import chain, repeat
from operator import itemgetter
from typing import TYPE_CHECKING

from attrs import frozen

from axoneme.errors import MapError
from axoneme.model.rule_set import PolicyEntry, PolicyKey

from ._columns import pack_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ._layout import Layout
    from ._pack import Packed
    from ._rows import Rows

_KEY = {"identity": "I", "port": "H", "proto": "B", "kind": "B"}
_ENTRY = {"rule": "I", "verdict": "B", "flags": "B", "proxy": "H"}
#: The flags of a rule set that say what it means; the others say what a look-up can skip.
MEANING = 0xFFFF
_INGRESS = 0x80
_LACKS_EGRESS, _LACKS_INGRESS = 16, 24
_WIDTHS = {16: 0, 8: 1, 0: 2}
_ANY_PROTOCOL = 3


@frozen(eq=False)
class RuleRows:
    """One version of a rule set, packed, beside what it is of."""

    version: int
    flags: int
    entries: Mapping[PolicyKey, PolicyEntry]
    keys: bytearray
    values: bytearray
    key_size: int

    def each_key(self) -> Iterator[bytes]:
        """The packed key of each row."""
        step = self.key_size
        return (bytes(self.keys[at : at + step]) for at in range(0, len(self.keys), step))

    def holds(self, entries: Mapping[PolicyKey, PolicyEntry], flags: int) -> bool:
        """Whether this is a version of a rule set with these entries and flags."""
        same = self.entries is entries or self.entries == entries
        return same and self.flags & MEANING == flags & MEANING


def pack_rule_set(
    layout: Layout, version: int, entries: Mapping[PolicyKey, PolicyEntry], flags: int
) -> RuleRows:
    """Pack entries as a version of a rule set with these flags.

    Raises:
        MapError: an entry does not fit.
    """
    (made,) = pack_rule_sets(layout, [(version, entries, flags)])
    return made


def pack_rule_sets(
    layout: Layout, sets: Iterable[tuple[int, Mapping[PolicyKey, PolicyEntry], int]]
) -> list[RuleRows]:
    """Pack versions of rule sets, each with its number, entries and flags.

    Raises:
        MapError: an entry of one does not fit.
    """
    parts = list(sets)
    keys, values = _pack(layout, [(version, entries) for version, entries, _ in parts])
    made, first = [], 0
    for version, entries, flags in parts:
        last = first + len(entries)
        own_keys, own_values = (
            rows[first * size : last * size]
            for rows, size in ((keys, layout.key.size), (values, layout.value.size))
        )
        all_flags = flags & MEANING | lacking(entries)
        made.append(RuleRows(version, all_flags, entries, own_keys, own_values, layout.key.size))
        first = last
    return made


def lacking(keys: Iterable[PolicyKey]) -> int:
    """The flags AXN_LACKS_...: which kinds of entries are not there."""
    kinds = {(key.kind, key.proto == 0, key.identity == 0) for key in keys}
    flags = 0xFF << _LACKS_EGRESS | 0xFF << _LACKS_INGRESS
    for kind, any_protocol, any_peer in kinds:
        width = _ANY_PROTOCOL if any_protocol else _WIDTHS[kind & ~_INGRESS]
        shift = _LACKS_INGRESS if kind & _INGRESS else _LACKS_EGRESS
        flags &= ~(1 << shift + 2 * width + any_peer)
    return flags


def versions(rows: Rows) -> dict[int, dict[PolicyKey, PolicyEntry]]:
    """The entries in the rows of the map, by version."""
    found: dict[int, dict[PolicyKey, PolicyEntry]] = {}
    for key, entry in rows:
        policy_key = PolicyKey(**{name: key[name] for name in _KEY})
        found.setdefault(key["rule_set"], {})[policy_key] = PolicyEntry(**entry)
    return found


def _pack(
    layout: Layout, versions: Iterable[tuple[int, Mapping[PolicyKey, PolicyEntry]]]
) -> Packed:
    """Pack all entries of some versions, those of one behind those of the other."""
    parts = [(version, entries) for version, entries in versions if entries]
    if not parts:
        return bytearray(), bytearray()
    numbers = chain.from_iterable(repeat(version, len(entries)) for version, entries in parts)
    columns = {"rule_set": _column(layout, "rule_set", "I", numbers)}
    keys = chain.from_iterable(entries for _, entries in parts)
    values = chain.from_iterable(entries.values() for _, entries in parts)
    for codes, rows in ((_KEY, list(keys)), (_ENTRY, list(values))):
        for place, (name, code) in enumerate(codes.items()):
            columns[name] = _column(layout, name, code, map(itemgetter(place), rows))
    return pack_columns(layout, columns)


def _column(layout: Layout, name: str, code: str, numbers: Iterable[int]) -> array[int]:
    try:
        return array(code, numbers)
    except OverflowError as error:
        raise MapError(f"{name} does not fit: {error}", map=layout.map) from error
