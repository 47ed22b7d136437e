# SPDX-License-Identifier: Apache-2.0
"""What a lab is made of, and the configuration that follows for each node's agent.

This is the one place that knows the agent's keys.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict, field, frozen

from axoneme.errors import AxonemeError, nearest

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.lab.lab import Lab
    from axoneme.lab.node import LabNode

ROUTING_MODES: Final = ("native", "tunnel")
#: More would not fit a machine, and their addresses end where the outside's begins.
MOST_NODES: Final = 64

#: What the nodes take the networks for their pods from.
POD_NETWORK4: Final = "10.244.0.0/16"
POD_NETWORK6: Final = "fd00:10:244::/104"


def _routing_mode(_: object, __: object, value: str) -> None:
    if value not in ROUTING_MODES:
        near = nearest(value, ROUTING_MODES)
        hint = f"; did you mean {near}?" if near else ""
        raise AxonemeError(f"a routing mode is {' or '.join(ROUTING_MODES)}, not {value}{hint}")


def _nodes(_: object, __: object, value: int) -> None:
    if not 1 <= value <= MOST_NODES:
        raise AxonemeError(f"a lab has 1 to {MOST_NODES} nodes, not {value}")


@frozen
class Settings:
    """What `axoneme lab up` is told; `sections` are more of the agents' configuration, as TOML."""

    nodes: int = field(default=2, validator=_nodes)
    plugins: tuple[str, ...] = ("tc",)
    routing_mode: str = field(default="native", validator=_routing_mode)
    sections: str = ""

    def save(self, path: Path) -> None:
        """Write them where `load` finds them, in one step."""
        draft = path.with_name(f".{path.name}")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Settings:
        """Read what `save` has written."""
        fields = json.loads(path.read_text())
        return cls(**{**fields, "plugins": tuple(fields["plugins"])})


def agent_config(lab: Lab, node: LabNode, settings: Settings) -> str:
    """Return the configuration of a node's agent."""
    agent: dict[str, Any] = {
        "plugins": list(settings.plugins),
        "node-name": node.name,
        "node-addresses": [str(address) for address in node.addresses],
        "cluster-pool-ipv4-cidr": [POD_NETWORK4],
        "cluster-pool-ipv6-cidr": [POD_NETWORK6],
        "routing-mode": settings.routing_mode,
        "cgroup": str(node.place.cgroup),
        "state-dir": str(lab.state),
        "manifests-dir": str(lab.manifests),
        "run-dir": str(node.run_dir),
        "uplinks": ["eth0"],
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in agent.items()]
    return "\n".join(["[agent]", *lines, settings.sections, ""])
