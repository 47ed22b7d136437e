# SPDX-License-Identifier: Apache-2.0
"""A lab by its name: what is where, how it comes up and how it goes."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from axoneme.errors import AxonemeError, nearest
from axoneme.lab.node import OUTSIDE, WORLD, LabNode, wire_addresses
from axoneme.lab.operators import OPERATORS, LabOperator
from axoneme.lab.places import Place
from axoneme.lab.pods import Pod, end_pod, least_used, make_pod, read_pods
from axoneme.lab.settings import Settings
from axoneme.net import cgroups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from axoneme.lab.pods import Port
    from axoneme.lab.runner import Runner
    from axoneme.model import Address

_ROOT: Final = Path("/run/axoneme/lab")
_CGROUPS: Final = "axoneme-lab"
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")


def _name(_: object, __: object, value: str) -> None:
    if not _NAME.fullmatch(value):
        raise AxonemeError(
            f"{value!r} is no name for a lab: it has 1 to 20 small letters, digits and dashes"
        )


@frozen
class Lab:
    """A cluster of nodes on this machine; it need not be up."""

    name: str = field(default="lab", validator=_name)

    @property
    def directory(self) -> Path:
        """All files of the lab, in memory: they go with the machine as its namespaces do."""
        return _ROOT / self.name

    @property
    def state(self) -> Path:
        """What the agents share."""
        return self.directory / "state"

    @property
    def manifests(self) -> Path:
        """What people want."""
        return self.directory / "manifests"

    @property
    def settings(self) -> Settings:
        """What it was made of.

        Raises:
            AxonemeError: it is not up.
        """
        path = self.directory / "lab.json"
        if not path.exists():
            half = f"; what is half there goes with `{self.command_line('down')}`"
            raise AxonemeError(
                f"there is no lab {self.name}; make one with `{self.command_line('up')}`"
                + (half if self.directory.exists() else "")
            )
        return Settings.load(path)

    @property
    def cgroup(self) -> Path:
        """The cgroup that those of all places are in."""
        found = next(cgroups.find_mounts(), None)
        if found is None:
            raise AxonemeError(
                "cgroup2 is not mounted; run `mount -t cgroup2 none /sys/fs/cgroup/unified`"
            )
        return found[0] / _CGROUPS / self.name

    @property
    def wire(self) -> Place:
        """Where the bridge is that joins the nodes."""
        return self._place("wire")

    @property
    def outside(self) -> Place:
        """A host that is no node, at the same wire."""
        return self._place("outside")

    @property
    def outside_addresses(self) -> tuple[Address, ...]:
        """The addresses of the outside: at the wire, and those that only routes lead to."""
        return *wire_addresses(OUTSIDE), *map(ip_address, WORLD)

    @property
    def nodes(self) -> tuple[LabNode, ...]:
        """Its nodes."""
        return self.nodes_of(self.settings)

    def node(self, name: str) -> LabNode:
        """Return the node of a name.

        Raises:
            AxonemeError: there is none.
        """
        nodes = {node.name: node for node in self.nodes}
        if name not in nodes:
            raise AxonemeError(f"lab {self.name} has no node {name}{hint(name, nodes)}")
        return nodes[name]

    @property
    def operators(self) -> tuple[LabOperator, ...]:
        """Its operators, at the place that is no node."""
        names = (f"operator{number}" for number in range(1, OPERATORS + 1))
        directory = self.directory / "operators"
        return tuple(LabOperator(name, self.outside, directory / name) for name in names)

    def runner(self, name: str) -> Runner:
        """Return the node or the operator of a name.

        Raises:
            AxonemeError: there is none.
        """
        runners: tuple[Runner, ...] = (*self.nodes, *self.operators)
        found = {one.name: one for one in runners}
        if name not in found:
            meant = hint(name, found)
            raise AxonemeError(f"lab {self.name} has no node or operator {name}{meant}")
        return found[name]

    @property
    def pods(self) -> tuple[Pod, ...]:
        """Its pods."""
        return read_pods(self)

    def pod(self, name: str, namespace: str = "") -> Pod:
        """Return the pod of a name, which may have its namespace before it: default/web.

        Raises:
            AxonemeError: there is none, or several of one name.
        """
        space, _, short = name.rpartition("/")
        space = namespace or space
        found = [p for p in self.pods if p.name == short and space in ("", p.namespace)]
        if len(found) > 1:
            listed = ", ".join(map(str, found))
            raise AxonemeError(f"there are {listed}; give the namespace too")
        if not found:
            meant = hint(name, map(str, self.pods))
            raise AxonemeError(f"lab {self.name} has no pod {name}{meant}")
        return found[0]

    def place(self, name: str) -> Place:
        """Return a node, a pod, the outside or the wire by its name.

        Raises:
            AxonemeError: there is none.
        """
        others = (self.outside, self.wire, *(node.place for node in self.nodes))
        return next((p for p in others if p.name == name), None) or self.pod_place(self.pod(name))

    def pod_place(self, pod: Pod) -> Place:
        """Where a pod is, or is to be."""
        return Place(
            str(pod),
            network=self.directory / "netns" / pod.key,
            cgroup=self.node(pod.node).place.cgroup / pod.key,
            public=f"{self.name}-{pod.key}",
        )

    def add_pod(
        self,
        name: str,
        *,
        namespace: str = "default",
        node: str = "",
        labels: Mapping[str, str] | None = None,
        ports: Iterable[Port] = (),
    ) -> Pod:
        """Make a pod, on the node with the fewest where none is given.

        Raises:
            AxonemeError: it is there already, or what its node's agent says.
        """
        chosen = self.node(node).name if node else least_used(self, self.pods)
        pod = Pod(name, namespace, chosen, dict(labels or {}), tuple(ports))
        return make_pod(self, pod)

    def delete_pod(self, pod: Pod) -> None:
        """Remove a pod."""
        end_pod(self, pod)

    def nodes_of(self, settings: Settings) -> tuple[LabNode, ...]:
        """The nodes that it has, or is to have."""
        return tuple(self._node(number) for number in range(1, settings.nodes + 1))

    def _node(self, number: int) -> LabNode:
        name = f"node{number}"
        place = self._place(name, mounts=True)
        return LabNode(name, place, self.directory / "nodes" / name, number)

    def _place(self, name: str, *, mounts: bool = False) -> Place:
        return Place(
            name,
            network=self.directory / "netns" / name,
            cgroup=self.cgroup / name,
            public=f"{self.name}-{name}",
            mounts=self.directory / "mounts" / name if mounts else None,
        )

    def up(self, settings: Settings) -> None:
        """Make all of it, and return when every agent answers; nothing stays if that fails.

        Raises:
            AxonemeError: it is up already, this is no machine for it, or an agent ended.
        """
        from axoneme.lab.building import build

        build(self, settings)

    def down(self) -> None:
        """Remove all of it, whatever is there; again is no error.

        Raises:
            AxonemeError: something that runs in it does not end.
        """
        from axoneme.lab.building import tear_down

        tear_down(self)

    def command_line(self, verb: str) -> str:
        """How people write a command for this lab."""
        name = "" if self.name == "lab" else f" --name {self.name}"
        return f"axoneme lab {verb}{name}"


def labs() -> Iterator[Lab]:
    """The labs of this machine."""
    for path in sorted(_ROOT.glob("*")):
        yield Lab(path.name)


def hint(name: str, names: Iterable[str]) -> str:
    """What a reader who wrote a name that is not there may have meant."""
    listed = tuple(names)
    near = nearest(name, listed)
    return f"; did you mean {near}?" if near else f"; it has {', '.join(listed) or 'none'}"
