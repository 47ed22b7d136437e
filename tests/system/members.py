# SPDX-License-Identifier: Apache-2.0
"""Nodes of one cluster, each with the real agent and a runtime, and operators beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from tests.system.runtimes import Runtime

from axoneme.testing import Node, join, scaled
from axoneme.testing.agents import AgentProcess
from axoneme.testing.operators import OperatorProcess

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.system.runtimes import Answer, Container

    from axoneme.model import Address, NodeRecord


class Member(Runtime):
    """A node, its agent, and pods by namespace and name, such as shop/web."""

    def __init__(self, node: Node, directory: Path, cluster: Path) -> None:
        directory.mkdir(parents=True)
        self.node, self.name = node, f"node{node.number}"
        self.agent = AgentProcess(node, directory, cluster)
        self.pods: dict[str, Container] = {}
        super().__init__(directory, self.agent.run_dir)

    @property
    def record(self) -> NodeRecord:
        """What its resource says now."""
        found = self.agent.source.nodes.read().get(self.name)
        assert found is not None
        return found

    def ask_for(self, name: str, **options: Any) -> Answer:
        """ADD of a pod, which may be refused; the same container if it was asked for before."""
        made = self._pod(name)
        args = f"{words(name)};{options.pop('args', '')}".rstrip(";")
        return self.run("ADD", made, args=args, **options)

    def _pod(self, name: str) -> Container:
        if name not in self.pods:
            self.pods[name] = self.container()
        return self.pods[name]

    def come(self, name: str, **options: Any) -> tuple[Address, ...]:
        """A pod gets its addresses."""
        answer = self.ask_for(name, **options)
        assert answer.code == 0, answer.document
        return answer.addresses

    def ask_for_all(self, names: Iterable[str]) -> dict[str, Answer]:
        """ADD of many pods at once."""
        listed = list(names)
        for name in listed:
            self._pod(name)
        with ThreadPoolExecutor(len(listed)) as threads:
            return dict(zip(listed, threads.map(self.ask_for, listed), strict=True))

    def come_all(self, names: Iterable[str]) -> dict[str, tuple[Address, ...]]:
        """Many pods get their addresses at once."""
        answers = self.ask_for_all(names)
        assert [a.document for a in answers.values() if a.code] == []
        return {name: answer.addresses for name, answer in answers.items()}

    def refused(self, name: str, **options: Any) -> str:
        """Why a pod gets no address: what the runtime is told."""
        answer = self.ask_for(name, **options)
        assert answer.code == 1, answer.document
        assert answer.document["code"] == 100, answer.document
        assert self.pods[name].links() == set()
        return str(answer.document["msg"])

    def go(self, *names: str) -> None:
        """Pods end."""
        for name in names:
            assert self.run("DEL", self.pods.pop(name), args=words(name)).code == 0

    def reach(self, name: str, addresses: Iterable[Address], far: Container) -> None:
        """A pod comes to reach one of another node: these nodes hear of each other's soon."""
        source = self.pods[name]
        with far.echo():
            for address in addresses:
                self.agent.wait_for(partial(source.pings, address), f"{name} to reach {address}")

    def findings(self) -> str:
        """What its status says is wrong."""
        found = self.agent.ask("status")["findings"]
        return "\n".join(f"{one['subject']}: {one['problem']}" for one in found)

    def rows(self) -> dict[str, dict[str, Any]]:
        """What `axoneme ipam list` says, by address."""
        return {
            row["address"]: row for row in json.loads(self.command("ipam", "list", "-o", "json"))
        }

    def command(self, *line: str, code: int = 0) -> str:
        """Run `axoneme` for this node; what it wrote."""
        done = subprocess.run(
            [sys.executable, "-m", "axoneme", *line, "--config", str(self.agent.config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=scaled(30),
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


class Members:
    """A cluster: `keys` are more of [agent] for all, `ipam` is the section."""

    def __init__(self, directory: Path, ipam: str, keys: str = "", *, count: int = 2) -> None:
        self.directory, self.keys = directory, keys
        with ExitStack() as stack:
            nodes = [stack.enter_context(Node(number=n)) for n in range(1, count + 1)]
            for index, node in enumerate(nodes):
                for other in nodes[:index]:
                    _join(other, node)
            self.members = [
                stack.enter_context(Member(node, directory / f"node{node.number}", directory))
                for node in nodes
            ]
            one = self.members[0].agent
            self.nodes, self.manifests = one.source.nodes, one.manifests
            self.operator = OperatorProcess(directory / "operator", one.source.state)
            stack.callback(self.operator.__exit__, None, None, None)
            for member in self.members:
                stack.callback(member.agent.__exit__, None, None, None)
            self.configure(ipam)
            self._stack = stack.pop_all()

    def configure(self, ipam: str, plugins: tuple[str, ...] = ("ipam",)) -> None:
        """Write the configurations of all."""
        sections = f"[ipam]\n{ipam}"
        for member in self.members:
            own = ", ".join(f'"{address}"' for address in member.node.addresses)
            uplinks = ", ".join(f'"uplink{m.node.number}"' for m in self.members if m is not member)
            member.agent.configure(
                ["tc", *plugins],
                f'node-name = "{member.name}"\nnode-addresses = [{own}]\nuplinks = [{uplinks}]\n'
                f"{self.keys}{sections}",
            )
        self.operator.configure(plugins, f'manifests-dir = "{self.manifests}"\n{sections}')

    def start(self) -> Self:
        """Start all agents."""
        for member in self.members:
            member.agent.start()
        return self

    def write(self, name: str, text: str) -> None:
        """Write a manifest in one step."""
        draft = self.manifests / f".{name}"
        draft.write_text(text)
        draft.replace(self.manifests / name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _join(one: Node, two: Node) -> None:
    """Lay a link between nodes whose ends have link-local addresses, as every IPv6 link's have."""
    for node, link in zip((one, two), join(one, two), strict=True):
        node.netlink.add_address(link, f"fe80::{node.number}/64")


def words(name: str) -> str:
    """CNI_ARGS of a pod."""
    namespace, _, own = name.rpartition("/")
    return f"K8S_POD_NAMESPACE={namespace or 'default'};K8S_POD_NAME={own}"
