# SPDX-License-Identifier: Apache-2.0
"""How a map differed from what it should hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from axoneme._bpf import ffi, lib
from axoneme.model.address import ADDRESS_BYTES, unpack_address

if TYPE_CHECKING:
    from ._rows import Rows

_EXAMPLES = 3
_SEEN, _DIFFERS = lib.AXN_SEEN, lib.AXN_DIFFERS


@frozen
class Drift:
    """What a reconcile had to do: rows added, changed and removed; falsy if the map was right.

    `examples` has pairs (what was done, key), the first few of each.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    examples: tuple[tuple[str, Any], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        counts = f"{self.added} added, {self.changed} changed, {self.removed} removed"
        examples = "; ".join(f"{done} {_shown(key)}" for done, key in self.examples)
        return f"{counts} ({examples})" if examples else counts


def _shown(key: Any) -> str:
    """A key for people: addresses as such, and structs by their fields."""
    if isinstance(key, dict):
        return " ".join(f"{name}={_shown(value)}" for name, value in key.items())
    if isinstance(key, bytes):
        return str(unpack_address(key)) if len(key) == ADDRESS_BYTES else key.hex()
    return str(key)


def drift_of(desired: Rows, stale: Rows) -> Drift:
    """Return what a comparison by C found: marks on the desired rows, and rows that are stale."""
    added, added_keys = _marked(desired, _SEEN, 0)
    changed, changed_keys = _marked(desired, _SEEN | _DIFFERS, _SEEN | _DIFFERS)
    removed, removed_keys = _marked(stale, 0, 0)
    groups = (("added", added_keys), ("changed", changed_keys), ("removed", removed_keys))
    examples = tuple((done, key) for done, keys in groups for key in keys)
    return Drift(added, changed, removed, examples)


def _marked(rows: Rows, mask: int, marks: int) -> tuple[int, list[Any]]:
    some = ffi.new("uint32_t[]", _EXAMPLES)
    count = int(lib.axn_rows_marked(rows.handle, mask, marks, some, _EXAMPLES))
    return count, [rows.key_at(row) for row in some[0 : min(count, _EXAMPLES)]]
