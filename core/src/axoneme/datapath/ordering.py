# SPDX-License-Identifier: Apache-2.0
"""Which lane of a stage each plugin gets: by the before and after of its object, then by name.

And who may recall: a lane that lets packets go round the stages behind it is called only where the
other plugins there have said, by AXN_PER_FLOW, that they need not see every packet.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from axoneme_sdk import LANES

from .parts import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .images import Trunk
    from .parts import Part

#: The stage by which packets go round the others, and the one that prepares it.
RECALL, REMEMBER = "recall", "remember"


def order_lanes(stage: str, parts: Sequence[Part]) -> list[Part] | Refused:
    """The parts that fill a stage in the order of their lanes, or who has to leave first."""
    filling = sorted((p for p in parts if stage in p.stages), key=lambda p: p.order)
    if len(filling) > LANES:
        taken = ", ".join(p.plugin for p in filling[:LANES])
        return Refused(
            filling[LANES].plugin,
            f"stage {stage} has {LANES} lanes, taken by {taken}: disable one of them",
        )
    return _sort(stage, filling)


def _sort(stage: str, filling: list[Part]) -> list[Part] | Refused:
    by_plugin: dict[str, list[Part]] = {}
    for part in filling:
        by_plugin.setdefault(part.plugin, []).append(part)
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(by_plugin, ()))
    for part in filling:
        declaration = part.stages[stage]
        for other in declaration.after:
            if other in by_plugin and other != part.plugin:
                sorter.add(part.plugin, other)
        for other in declaration.before:
            if other in by_plugin and other != part.plugin:
                sorter.add(other, part.plugin)
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = error.args[1]
        return Refused(max(cycle), f"stage {stage}: before and after go round: {' < '.join(cycle)}")
    ordered: list[Part] = []
    waiting: list[str] = []
    while sorter.is_active():
        # One at a time, the smallest name first: what becomes ready then competes with the rest.
        waiting = sorted({*waiting, *sorter.get_ready()})
        name = waiting.pop(0)
        ordered += by_plugin[name]
        sorter.done(name)
    return ordered


def wanting_each_packet(
    plugin: str, trunks: Iterable[Trunk], parts: Iterable[Part]
) -> tuple[str, ...]:
    """The other plugins with a lane that no packet may go round, where packets are recalled."""
    ways = {stage for trunk in trunks if RECALL in trunk.stages for stage in trunk.stages}
    return tuple(
        sorted({p.plugin for p in parts if p.plugin != plugin and _wants_each_packet(p, ways)})
    )


def _wants_each_packet(part: Part, stages: set[str]) -> bool:
    return any(not stage.per_flow for name, stage in part.stages.items() if name in stages)
