# SPDX-License-Identifier: Apache-2.0
"""A node with the real agent: pods come through the CNI, and people write manifests."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Self

from tests.system.runtimes import Runtime

from axoneme.testing.agents import AgentProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.system.runtimes import Container

    from axoneme.model import Address
    from axoneme.testing import Node


class AgentNode(Runtime):
    """A runtime and the agent that it asks. `sections` is added to the configuration."""

    def __init__(self, node: Node, directory: Path, sections: str = "") -> None:
        self.node = node
        self.agent = AgentProcess(node, directory)
        self.manifests = self.agent.manifests
        self.addresses: dict[str, tuple[Address, ...]] = {}
        self.configure(sections)
        super().__init__(directory, self.agent.run_dir)

    def configure(self, sections: str = "", plugins: Sequence[str] = ("tc",)) -> None:
        """Write the configuration."""
        own = ", ".join(f'"{address}"' for address in self.node.addresses)
        self.agent.configure(
            plugins,
            f"node-addresses = [{own}]\n{sections}",
            networks=self.node.pod_networks,
        )

    def add_pod(self, name: str, namespace: str = "default") -> Container:
        """A pod with the labels and ports that a manifest gives it."""
        made = self.container(f"{namespace}-{name}")
        answer = self.add(made, args=f"K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name}")
        self.addresses[f"{namespace}/{name}"] = answer.addresses
        return made

    def write(self, name: str, text: str) -> None:
        """Write a manifest in one step."""
        draft = self.manifests / f".{name}"
        draft.write_text(text)
        draft.replace(self.manifests / name)

    def remove(self, name: str) -> None:
        """Remove a manifest."""
        (self.manifests / name).unlink()

    def explain(self, source: object, target: object, port: int | str = 80) -> dict[str, Any]:
        """What the agent says of a packet: an end is an address, or what people call it."""
        where = f"[{target}]" if isinstance(target, IPv6Address) else target
        asked = {"source": str(source), "target": f"{where}:{port}"}
        answer: dict[str, Any] = self.agent.ask("explain", **asked)
        return answer

    def problems(self) -> list[str]:
        """What the agent says is wrong."""
        found: list[str] = self.agent.ask("status")["problems"]
        return found

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds."""
        self.agent.wait_for(condition, what)

    def __enter__(self) -> Self:
        self.agent.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.agent.__exit__(None, None, None)
        super().__exit__()
