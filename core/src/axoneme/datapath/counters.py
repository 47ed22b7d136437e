# SPDX-License-Identifier: Apache-2.0
"""What the trunks counted, and the names of reasons beside the counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from .images import trunk_object
from .parts import REASON_NAME, REASON_OWNER, REASON_TEXT
from .reasons import FIRST_OF_PLUGINS, Reason
from .testruns import Verdict

if TYPE_CHECKING:
    from .maps import Maps
    from .reasons import ReasonRegistry

_VERDICTS = 8


@frozen
class Count:
    """Packets and bytes that a trunk gave one verdict, since the maps were made."""

    trunk: str
    verdict: Verdict
    packets: int
    bytes: int


@frozen
class Drop:
    """Packets and bytes that a trunk dropped for one reason."""

    trunk: str
    reason: Reason
    packets: int
    bytes: int


def trunk_numbers() -> dict[int, str]:
    """The name of each trunk by its number in struct packet; all of the socket's have one."""
    enumerators = trunk_object("tc").declarations.btf.enumerators("axn_trunk")
    return {n: name.removeprefix("AXN_").lower() for name, n in enumerators.items()}


def read_counts(maps: Maps) -> list[Count]:
    """Every trunk and verdict that has been counted."""
    trunks = trunk_numbers()
    counts = []
    for slot, value in maps.table("counters").read(summed=True):
        trunk = trunks.get(slot // _VERDICTS)
        if trunk is not None and value["packets"]:
            verdict = Verdict(slot % _VERDICTS)
            counts.append(Count(trunk, verdict, value["packets"], value["bytes"]))
    return counts


def read_drops(maps: Maps, reasons: ReasonRegistry) -> list[Drop]:
    """Every reason that has dropped a packet, by trunk."""
    trunks = trunk_numbers()
    drops = []
    for key, value in maps.table("drops").read(summed=True):
        reason = reasons.get(key["reason"])
        drops.append(Drop(trunks[key["trunk"]], reason, value["packets"], value["bytes"]))
    return sorted(drops, key=lambda d: (d.trunk, d.reason.number))


def restore_reasons(maps: Maps, reasons: ReasonRegistry) -> None:
    """Take over the names that an earlier agent wrote, if there was one."""
    trunk = trunk_object("tc").declarations
    own = [m for m in trunk.maps if m.name == "reasons"]
    if not maps.reuse(own, trunk.btf):
        return
    for number, record in maps.table("reasons").read():
        texts = (_text(record[f]) for f in ("owner", "name", "text"))
        reasons.restore([Reason(number, *texts)])


def write_reasons(maps: Maps, reasons: ReasonRegistry) -> None:
    """Write the names of plugins' reasons beside the counters."""
    rows = [
        (
            number,
            {
                "owner": _padded(reason.owner, REASON_OWNER),
                "name": _padded(reason.name, REASON_NAME),
                "text": _padded(reason.text, REASON_TEXT),
            },
        )
        for number, reason in reasons.all().items()
        if number >= FIRST_OF_PLUGINS
    ]
    maps.table("reasons").write(rows)


def _padded(text: str, size: int) -> bytes:
    """Text as the map has it; what is too long ends before the character that does not fit."""
    fitting = text.encode()[:size].decode(errors="ignore")
    return fitting.encode().ljust(size + 1, b"\0")


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode(errors="replace")
