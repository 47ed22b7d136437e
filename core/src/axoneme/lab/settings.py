# SPDX-License-Identifier: Apache-2.0
"""What a lab is made of, and the configuration that follows for agents and operators.

This is the one place that knows their keys.
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
    from axoneme.lab.operators import LabOperator

ROUTING_MODES: Final = ("native", "tunnel")
#: More would not fit a machine, and their addresses end where the outside's begins.
MOST_NODES: Final = 64

#: The plugin that gives nodes networks, and the name of its section.
IPAM: Final = "ipam"
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
    plugins: tuple[str, ...] = ("tc", IPAM)
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
        "node-name": node.name,
        "node-addresses": [str(address) for address in node.addresses],
        "routing-mode": settings.routing_mode,
        "cgroup": str(node.place.cgroup),
        "run-dir": str(node.run_dir),
        "uplinks": ["eth0"],
    }
    return _config(lab, settings, agent)


def operator_config(lab: Lab, operator: LabOperator, settings: Settings) -> str:
    """Return the configuration of an operator."""
    own = {"node-name": operator.name, "run-dir": str(operator.run_dir)}
    return _config(lab, settings, own)


def _config(lab: Lab, settings: Settings, own: dict[str, Any]) -> str:
    agent = {
        "plugins": list(settings.plugins),
        "state-dir": str(lab.state),
        "manifests-dir": str(lab.manifests),
        **own,
    }
    lines = ["[agent]", *_lines(agent), settings.sections]
    # Who writes this section writes all of it.
    if IPAM in settings.plugins and f"[{IPAM}]" not in settings.sections:
        pools = {
            "cluster-pool-ipv4-cidr": [POD_NETWORK4],
            "cluster-pool-ipv6-cidr": [POD_NETWORK6],
        }
        lines += [f"[{IPAM}]", *_lines(pools)]
    return "\n".join([*lines, ""])


def _lines(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]
