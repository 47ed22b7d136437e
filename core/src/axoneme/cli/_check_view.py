# SPDX-License-Identifier: Apache-2.0
"""How a check of a plugin looks on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from axoneme.cli.views import new_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from axoneme.cli._check_report import ConstantReport, ObjectReport, Report, TrunkReport


def check_view(report: Report) -> RenderableType:
    """Everything, problems last: that is where a terminal ends."""
    beside = f", beside {', '.join(report.others)}" if report.others else ""
    name = f"{report.plugin} ({report.distribution})" if report.distribution else report.plugin
    head = f"{name} on kernel {report.kernel}{beside}"
    parts: list[RenderableType] = [Text(head)]
    for one in report.objects:
        parts += [Text(f"\n{one.name}, by {one.loader}", style="bold")]
        parts += [Padding(part, (0, 0, 0, 2)) for part in _object(one)]
    if report.trunks:
        parts += [Text("\ninstructions processed", style="bold")]
        parts += [Padding(_trunks(report.trunks), (0, 0, 0, 2))]
    parts += [Text(f"\nwrong: {problem}", style="red") for problem in report.problems]
    if not report.problems:
        parts.append(Text("\nnothing is wrong", style="green"))
    return Group(*parts)


def _object(one: ObjectReport) -> Iterator[RenderableType]:
    if one.stages:
        yield _stages(one)
    if one.programs:
        made = new_table("", "PROGRAM", "ATTACHED TO", "INSTRUCTIONS")
        for program in one.programs:
            made.add_row(program.name, program.attach, str(program.instructions))
        yield made
    if one.maps:
        yield _maps(one)
    if one.borrowed:
        yield Text(f"core's maps: {', '.join(one.borrowed)}")
    if one.reasons:
        yield _constants("REASON", one.reasons)
    if one.knobs:
        yield _constants("KNOB", one.knobs)


def _stages(one: ObjectReport) -> RenderableType:
    made = new_table("", "STAGE", "LANES ALONE", "WITH ALL", "STACK", "HELPERS")
    for stage in one.stages:
        lanes = (", ".join(stage.alone), ", ".join(stage.with_all))
        made.add_row(stage.name, *lanes, f"{stage.stack} B", ", ".join(stage.helpers))
    return made


def _maps(one: ObjectReport) -> RenderableType:
    made = new_table("", "MAP", "TYPE", "KEY", "VALUE", "ENTRIES", "LAYOUT")
    for each in one.maps:
        layout = f"{each.layout}, {each.hash}" if each.hash else "no codec"
        sizes = (f"{each.key} B", f"{each.value} B", str(each.entries))
        made.add_row(each.name, each.type, *sizes, layout)
    return made


def _constants(what: str, constants: tuple[ConstantReport, ...]) -> RenderableType:
    made = new_table("", what, "BYTES", "MEANING")
    for constant in constants:
        made.add_row(constant.name, str(constant.size), escape(constant.text))
    return made


def _trunks(trunks: tuple[TrunkReport, ...]) -> RenderableType:
    made = new_table("", "TRUNK", "CORE", "ALONE", "THE OTHERS", "WITH ALL")
    for trunk in trunks:
        made.add_row(
            trunk.name,
            _number(trunk.core),
            _with_difference(trunk.alone, trunk.core),
            _number(trunk.others),
            _with_difference(trunk.with_all, trunk.others),
        )
    return made


def _number(count: int | None) -> str:
    return "-" if count is None else str(count)


def _with_difference(count: int | None, before: int | None) -> str:
    return "-" if count is None else f"{count} ({count - (before or 0):+})"
