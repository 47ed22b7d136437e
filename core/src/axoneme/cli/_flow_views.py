# SPDX-License-Identifier: Apache-2.0
"""How flows look: a line each for people, a row of a table, or a JSON object."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from attrs import define, field, frozen

from axoneme.model.identity import RESERVED, identity_name
from axoneme.observe.flow_json import flow_as_json, lost_as_json
from axoneme.observe.lost import Source
from axoneme.observe.words import flag_names

if TYPE_CHECKING:
    from axoneme.observe.flow import Flow, Judgement, Party
    from axoneme.observe.lost import Lost

_CODES = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "dim": 2}
_VERDICT_COLOURS = {"FORWARDED": "green", "DROPPED": "red", "REDIRECTED": "yellow"}
_WIDTHS = (19, 38, 38, 15, 10)
_SECOND = 1_000_000_000
_COLUMNS = ("TIME", "SOURCE", "DESTINATION", "TYPE", "VERDICT", "SUMMARY")


class View(Protocol):
    """Writes flows, and what was lost between them."""

    def head(self) -> str:
        """What comes before all of them."""

    def flow(self, flow: Flow) -> str:
        """The line of a flow."""

    def lost(self, lost: Lost) -> str:
        """The line of what was lost."""


@define
class Ink:
    """Colours text, or leaves it as it is."""

    on: bool

    def __call__(self, text: str, colour: str) -> str:
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.on else text


@define
class Clock:
    """Times of the day as they are here, with milliseconds."""

    _second: int = field(default=-1, init=False)
    _text: str = field(default="", init=False)

    def __call__(self, nanoseconds: int) -> str:
        second = nanoseconds // _SECOND
        if second != self._second:
            self._second = second
            self._text = time.strftime("%b %d %H:%M:%S", time.localtime(second))
        return f"{self._text}.{nanoseconds % _SECOND // 1_000_000:03}"


@define
class CompactView:
    """One line a flow, from who opened it to whom, also where the packet went back."""

    ink: Ink
    _parties: dict[Party, tuple[str, str]] = field(factory=dict, init=False)
    _clock: Clock = field(factory=Clock, init=False)

    def head(self) -> str:
        """Nothing: each line says all."""
        return ""

    def flow(self, flow: Flow) -> str:
        """Time, source, arrow, destination, type, verdict, and why."""
        source = self._side(flow.source, flow.source_port, flow)
        target = self._side(flow.destination, flow.destination_port, flow)
        arrow = "->"
        if flow.is_reply is None:
            arrow = "<>"
        elif flow.is_reply:
            source, target, arrow = target, source, "<-"
        verdict = self.ink(flow.verdict, _VERDICT_COLOURS.get(flow.verdict, "yellow"))
        when = self._clock(flow.time)
        return f"{when}: {source} {arrow} {target} {kinds(flow)} {verdict} ({summary(flow)})\n"

    def lost(self, lost: Lost) -> str:
        """EVENTS LOST, with where and how many."""
        return f"{self._clock(lost.time)}: {self.ink(lost_text(lost), 'yellow')}\n"

    def _side(self, party: Party, port: int, flow: Flow) -> str:
        known = self._parties.get(party)
        if known is None:
            name = self.ink(str(party), "cyan" if party.namespace else "blue")
            known = name, self.ink(f"({identity(party)})", "dim")
            self._parties[party] = known
        name, number = known
        return f"{name} {number}" if flow.is_icmp or not port else f"{name}:{port} {number}"


@define
class TableView:
    """A row a flow, in columns that do not move."""

    ink: Ink
    _clock: Clock = field(factory=Clock, init=False)

    def head(self) -> str:
        """The names of the columns."""
        return self._row(_COLUMNS)

    def flow(self, flow: Flow) -> str:
        """A row; what is too wide for its column moves the rest."""
        sides = (
            _with_port(flow.source, flow.source_port, flow),
            _with_port(flow.destination, flow.destination_port, flow),
        )
        cells = (self._clock(flow.time), *sides, kinds(flow), flow.verdict, summary(flow))
        return self._row(cells, _VERDICT_COLOURS.get(flow.verdict, "yellow"))

    def lost(self, lost: Lost) -> str:
        """A row that says so."""
        return f"{self._clock(lost.time):{_WIDTHS[0]}} {self.ink(lost_text(lost), 'yellow')}\n"

    def _row(self, cells: tuple[str, ...], colour: str = "") -> str:
        padded = [f"{cell:{width}}" for cell, width in zip(cells, _WIDTHS, strict=False)]
        if colour:
            padded[4] = self.ink(padded[4], colour)
        return " ".join((*padded, cells[-1])) + "\n"


@frozen
class JsonView:
    """A JSON object a line; docs/reference/flows.md says what its fields are."""

    node: str

    def head(self) -> str:
        """Nothing: every line is an object."""
        return ""

    def flow(self, flow: Flow) -> str:
        """The object of a flow."""
        return flow_as_json(flow, self.node)

    def lost(self, lost: Lost) -> str:
        """The object of what was lost."""
        return lost_as_json(lost, self.node)


def kinds(flow: Flow) -> str:
    """What is told of a packet, shortly: of a drop that it is one."""
    if "drop" in flow.kinds:
        return "drop"
    found = dict.fromkeys(_short(kind) for kind in flow.kinds)
    return ",".join(kind for kind in found if kind != "trace") or "trace"


def _short(kind: str) -> str:
    return "policy-verdict" if kind.endswith("-verdict") else kind


def summary(flow: Flow) -> str:
    """Why, in words: the reason of a drop, the rules that decided, and flags."""
    parts = []
    if flow.reason is not None:
        parts.append(flow.reason.text)
    for word, judgement in (("egress", flow.egress), ("ingress", flow.ingress)):
        if judgement is not None and (flow.verdict != "DROPPED" or not judgement.allowed):
            parts.append(f"{word} {_judged(judgement)}")
    parts.append(f"{flow.protocol}{_detail(flow)}")
    return "; ".join(parts)


def _judged(judgement: Judgement) -> str:
    policies = ", ".join(judgement.policies)
    if judgement.rule:
        verb = "allowed" if judgement.allowed else "denied"
        return f"{verb} by {policies} {judgement.rule}".replace("  ", " ")
    if judgement.allowed:
        return "allowed, no policy selects it"
    return f"denied, nothing in {policies or 'its policies'} allows it"


def _detail(flow: Flow) -> str:
    if flow.is_icmp:
        return f" type {flow.source_port} code {flow.destination_port}"
    return f" {','.join(flag_names(flow.tcp_flags))}" if flow.tcp_flags else ""


def identity(party: Party) -> str:
    """A reserved identity by its name, another by its number."""
    if party.identity in RESERVED:
        return identity_name(party.identity)
    return f"ID:{party.identity}" if party.identity else "unknown"


def _with_port(party: Party, port: int, flow: Flow) -> str:
    return str(party) if flow.is_icmp or not port else f"{party}:{port}"


def lost_text(lost: Lost) -> str:
    """How many were lost, and where."""
    word = "EVENTS LIMITED" if lost.source is Source.RATE_LIMIT else "EVENTS LOST"
    where = lost.source.replace("-", "_").upper()
    cpu = "" if lost.cpu is None else f" CPU({lost.cpu})"
    of = "" if lost.type is None else f" {lost.type}"
    return f"{word}: {where}{cpu} {lost.count}{of}"
