# SPDX-License-Identifier: Apache-2.0
"""Pictures of a packet's way: the trunks that it meets, their stages, and whose objects fill them.

Trunks and stages are the objects'; which trunks are behind each other is said here.
"""

from __future__ import annotations

from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING

from attrs import frozen

from axoneme.datapath.images import trunk_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from _markdown import Blocks

#: A stage, and `plugin/object` for each that fills it.
Fillers = dict[str, list[str]]
#: Stages that hand a packet to a pod: the pod's own are run behind them.
_HANDS_OVER = ("forward", "deliver")
_EMPTY = "-"
_ARROW = " ──▶ "
_INDENT = "    "


@frozen
class _Part:
    """Some of a trunk's stages, in a box."""

    title: str
    stages: Sequence[str]

    def box(self, fillers: Mapping[str, Sequence[str]]) -> list[str]:
        """Its lines, all of one width."""
        names = max(map(len, self.stages))
        rows = [
            f"{stage:{names}}  {' '.join(fillers.get(stage, ())) or _EMPTY}"
            for stage in self.stages
        ]
        width = max(*map(len, rows), len(self.title) + 2)
        head = f"┌─ {self.title} {'─' * (width - len(self.title) - 1)}┐"
        return [head, *(f"│ {row:{width}} │" for row in rows), f"└{'─' * (width + 2)}┘"]


def on_a_node(fillers: Fillers) -> Blocks:
    """From pod to pod of one node."""
    yield _row("pod A", [*_into_a_pod("from_pod")], "pod B", fillers)


def between_nodes(leaves: str, arrives: str, fillers: Fillers) -> Blocks:
    """From a pod of one node to a pod of another, by these two trunks, and back."""
    way = [_whole("from_pod"), _whole(leaves)]
    yield _row("pod A", way, "node 2", fillers)
    yield _row("node 1", _into_a_pod(arrives), "pod B", fillers)
    back = ("pod B", "from_pod", leaves, "node 1", arrives, "to_pod", "pod A")
    yield f"{_INDENT}back:  {_ARROW.join(back)}"


def _stages(trunk: str) -> tuple[str, ...]:
    return next(t.stages for t in trunk_object("tc").trunks if t.name == trunk)


def _whole(trunk: str) -> _Part:
    return _Part(trunk, _stages(trunk))


def _into_a_pod(trunk: str) -> Iterable[_Part]:
    """A trunk whose packet goes straight into a pod: it runs the pod's stages before it ends."""
    stages = _stages(trunk)
    over = next(n for n, stage in enumerate(stages, 1) if stage in _HANDS_OVER)
    yield _Part(trunk, stages[:over])
    own = tuple(takewhile(lambda stage: stage not in _HANDS_OVER, _stages("to_pod")))
    yield _Part("to_pod, inline", own)
    yield _Part(trunk, stages[over:])


def _row(source: str, parts: Iterable[_Part], target: str, fillers: Fillers) -> str:
    """Boxes beside each other, with arrows between them on their first stage."""
    boxes = [part.box(fillers) for part in parts]
    arrow, gap = _ARROW, " " * len(_ARROW)
    lines = []
    for number, cells in enumerate(zip_longest(*boxes)):
        padded = [cell or " " * len(box[0]) for cell, box in zip(cells, boxes, strict=True)]
        if number == 1:
            lines.append(f"{source}{arrow}{arrow.join(padded)}{arrow}{target}")
        else:
            lines.append(f"{' ' * len(source)}{gap}{gap.join(padded)}")
    return "\n".join(f"{_INDENT}{line}".rstrip() for line in lines)
