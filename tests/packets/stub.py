# SPDX-License-Identifier: Apache-2.0
"""The stub plugin from Python: what its stages saw, and what they shall answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from axoneme.datapath import all_stages, trunk
from axoneme.testing import fake_plugin, plugin_codec, plugin_object
from axoneme.testing.pipelines import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme.datapath import Step, Table, TestRun
    from axoneme.testing import Node

SOURCE = Path(__file__).parent / "bpf" / "stub.bpf.c"
#: enum axn_stage: the trunks list their stages by name, the header by number.
STAGES = tuple(
    "recall admit balance track policy proxy shape forward remember deliver decrypt untranslate "  # noqa: SIM905 - a table of words
    "translate encrypt xdp_filter xdp_balance sock_balance sock_restore sock_bind commit identify "
    "stamp".split()
)
FROM_POD = trunk("from_pod").stages
TO_POD = trunk("to_pod").stages
#: Tests dump all maps, and an array has all its rows, whoever wrote them.
_SMALL = "[agent.map-entries]\nrule-sets = 16\nconntrack = 64\n"
TO_ENDPOINT = 8  # AXN_TO_ENDPOINT
COMMIT = 64  # AXN_COMMIT


def always_run(name: str) -> tuple[str, ...]:
    """The stages of a trunk that run for every packet: all but commit, which is asked for."""
    return tuple(stage for stage in trunk(name).stages if stage != "commit")


class Stub:
    """A pipeline in which the stub fills every stage of tc and XDP."""

    def __init__(self, node: Node) -> None:
        stub = plugin_object(SOURCE.read_text(), "stub")
        plugin = fake_plugin("stub", stub)
        self.node = node
        self.pipeline = Pipeline(node, ["stub"], _SMALL, entry_points=lambda: [plugin])
        assert self.pipeline.status("stub") == "on"
        self.datapath = self.pipeline.datapath
        self.rows: Table = self.datapath.table("stub_rows", plugin_codec(stub))

    def reset(self) -> None:
        """Have every stage answer NEXT, and forget what was seen and dropped."""
        self.rows.delete(range(len(STAGES)))
        self.datapath.table("drops").clear()

    def answer(self, stage: str, verdict: int, **row: int) -> None:
        """Have a stage give a verdict, with `reason`, `out_ifindex` or `flags` in the packet.

        With `skip` its first calls answer NEXT.
        """
        told = _NOTHING | {"verdict": verdict} | row
        self.rows.write([(STAGES.index(stage), self.row(stage) | told)])

    def row(self, stage: str) -> dict[str, Any]:
        """What a stage keeps."""
        return self.rows[STAGES.index(stage)]

    def seen(self, stage: str) -> dict[str, Any]:
        """The fields of struct packet as a stage found them; nothing if it was not reached."""
        row = self.row(stage)
        fields = {n.removeprefix("seen."): v for n, v in row.items() if n.startswith("seen.")}
        return {n.removeprefix("tuple."): v for n, v in fields.items()} if row["calls"] else {}

    def path(self) -> tuple[str, ...]:
        """The stages that were reached, in order."""
        rows = {stage: self.row(stage) for stage in STAGES}
        reached = [stage for stage in STAGES if rows[stage]["calls"]]
        return tuple(sorted(reached, key=lambda stage: rows[stage]["seen.rule"]))

    def drops(self) -> tuple[tuple[str, str, int], ...]:
        """Trunk, reason and bytes of each drop since the last reset."""
        return tuple(
            (drop.trunk, drop.reason.name, drop.bytes)
            for drop in self.datapath.drops()
            if drop.packets
        )

    def run(self, name: str, packet: bytes, **options: Any) -> TestRun:
        """Run a trunk."""
        return self.call(self.datapath.run, name, bytes(packet), **options)

    def probe(self, name: str, packet: bytes) -> tuple[TestRun, tuple[Step, ...]]:
        """Run a trunk as a probe."""
        return self.call(self.datapath.probe, name, bytes(packet))

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a function in the node."""
        return self.node.call(function, *args, **kwargs)


_NOTHING = {"reason": 0, "out_ifindex": 0, "flags": 0, "skip": 0}
assert set(STAGES) == set(all_stages())
