# SPDX-License-Identifier: Apache-2.0
"""Link and load: how long each image takes, and what the verifier has to do for each trunk.

Figures without a goal. The maps are there already, as they are at every swap.
"""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.compiling import compiled_object
from tests.bench.measure import pairs
from tests.bench.pods import Carried, carried, tc_objects
from tests.bench.results import Result

from axoneme import PluginObject

if TYPE_CHECKING:
    from collections.abc import Mapping


def run() -> list[Result]:
    """Link and load all images, with plugins/tc and a lane in every trunk; needs root."""
    with ExitStack() as stack:
        pods = stack.enter_context(carried(0))
        idle = stack.enter_context(compiled_object("idle_elsewhere"))
        objects = {"tc": tc_objects(), "idle": [PluginObject(idle)]}
        pods.link(objects)
        swaps = [pods.link(objects) for _ in range(pairs())]
        return [
            *_images("link", [swap.link_seconds for swap in swaps]),
            *_images("load", [swap.load_seconds for swap in swaps]),
            *_trunks(pods),
        ]


def _images(what: str, seconds: list[Mapping[str, float]]) -> list[Result]:
    return [
        Result(f"{what} {image}", median(s[image] for s in seconds) * 1e3, "ms")
        for image in seconds[0]
    ]


def _trunks(pods: Carried) -> list[Result]:
    found = []
    for name, program in pods.datapath.assembly.programs.items():
        found.append(Result(f"verify {name}", program.instructions, "instructions"))
        found.append(Result(f"verify {name}, time", program.microseconds / 1e3, "ms"))
    return found
