# SPDX-License-Identifier: Apache-2.0
"""The ends of a flow, as people write them: default/web, web, host, a node, world, an address."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from attrs import frozen

from axoneme.agent.frames import ICMP, ICMPV6, Flow
from axoneme.errors import AxonemeError, nearest
from axoneme.model import pack_address
from axoneme.model.address import parse_address
from axoneme.model.policy import HIGHEST_PORT, PROTOCOLS
from axoneme.observe.directory import title

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from axoneme.model import Address
    from axoneme.model.node import NodeRecord
    from axoneme.observe import Directory
    from axoneme.sources import EndpointRecord

HOST, WORLD = "host", "world"
#: Of the world, where nobody says which address: from networks that are for documentation.
_ANY_OF_WORLD: Final = (ip_address("198.51.100.1"), ip_address("2001:db8::1"))
_TARGET = re.compile(r"(?P<end>.+):(?P<port>\d{1,6})(/(?P<protocol>[a-z]+))?")
_NAMES: Final = {name.lower(): number for name, number in PROTOCOLS.items()}
_ICMP_NAME = "icmp"


@frozen
class End:
    """One end: a pod, the host of a node, or somebody outside; `node` is "" for them."""

    name: str
    addresses: tuple[Address, ...]
    node: str = ""
    pod: EndpointRecord | None = None

    def address(self, version: int) -> Address | None:
        """Its address of an IP version, if it has one."""
        return next((a for a in self.addresses if a.version == version), None)


@frozen
class Question:
    """Both ends and the first packet of the flow between them."""

    source: End
    target: End
    flow: Flow


@frozen
class Ends:
    """Everyone who can be an end: the cluster's pods, and its nodes, this one first."""

    pods: Mapping[tuple[str, str], EndpointRecord]
    nodes: tuple[NodeRecord, ...]
    directory: Directory

    def question(
        self, source: str, target: str, *, version: int = 0, protocol: str = ""
    ) -> Question:
        """Return what is asked; `version` is 4 or 6, or 0 for one that both ends have.

        Raises:
            AxonemeError: an end is not known, or there can be no such packet.
        """
        words, port, proto = _split(target, protocol)
        far, near = self._end(words), self._end(source)
        far, near = self._host(words, far, near), self._host(source, near, far)
        for one in (version,) if version else (4, 6):
            pair = near.address(one), far.address(one)
            if pair[0] is not None and pair[1] is not None:
                number = {_ICMP_NAME: ICMP if one == 4 else ICMPV6}.get(proto) or _NAMES[proto]
                return Question(near, far, Flow(pair[0], pair[1], number, port))
        family = f"an IPv{version} address" if version else "addresses of one family"
        raise AxonemeError(f"{near.name} and {far.name} do not both have {family}")

    def of(self, address: Address) -> End:
        """Return who has an address."""
        owner = self.directory.present(pack_address(address))
        if owner is None:
            return End(f"{WORLD} ({address})", (address,))
        record = self.pods.get((owner.namespace, owner.name))
        return End(str(owner), (address,), owner.node, record)

    def node(self, name: str) -> NodeRecord | None:
        """Return the node of a name."""
        return next((node for node in self.nodes if node.name == name), None)

    def _node_of(self, record: EndpointRecord) -> str:
        return record.node or self.nodes[0].name

    def _end(self, words: str) -> End:
        if words == WORLD:
            return End(WORLD, _ANY_OF_WORLD)
        if words == HOST:
            return self._of_node(self.nodes[0])
        address = _address(words)
        if address is not None:
            return self.of(address)
        node = self.node(words)
        if node is not None and not self._pods(words):
            return self._of_node(node)
        return self._pod(words)

    def _host(self, words: str, end: End, other: End) -> End:
        """The host that is meant beside a pod is that of its node."""
        node = self.node(other.node) if words == HOST and other.pod is not None else None
        return self._of_node(node) if node is not None else end

    def _of_node(self, node: NodeRecord) -> End:
        return End(title("", node.name), node.addresses, node.name)

    def _pods(self, words: str) -> list[EndpointRecord]:
        space, _, name = words.rpartition("/")
        return [r for r in self.pods.values() if r.name == name and space in ("", r.namespace)]

    def _pod(self, words: str) -> End:
        found = self._pods(words)
        if len(found) > 1:
            listed = ", ".join(sorted(map(str, found)))
            raise AxonemeError(f"there are {listed}: write the namespace too")
        if not found:
            raise AxonemeError(f"there is no pod {words}{self._meant(words)}")
        return End(str(found[0]), found[0].addresses, self._node_of(found[0]), found[0])

    def _meant(self, words: str) -> str:
        full = [str(record) for record in self.pods.values()]
        names = full if "/" in words else [record.name for record in self.pods.values()]
        near = nearest(words, [*names, *(node.name for node in self.nodes), HOST, WORLD])
        return f"; did you mean {near}?" if near else f"; there are {_listed(full)}"


def _split(target: str, protocol: str) -> tuple[str, int, str]:
    """Take DST:PORT/PROTO apart; of a ping there is only DST."""
    if protocol == _ICMP_NAME:
        return target, 0, protocol
    found = _TARGET.fullmatch(target)
    if found is None:
        raise AxonemeError(f"{target} has no port: write {target}:80 or {target}:53/udp")
    said = found["protocol"] or protocol or "tcp"
    if said not in _NAMES:
        near = nearest(said, _NAMES)
        hint = f"; did you mean {near}?" if near else ""
        raise AxonemeError(f"a protocol with ports is {', '.join(_NAMES)}, not {said}{hint}")
    port = int(found["port"])
    if not 1 <= port <= HIGHEST_PORT:
        raise AxonemeError(f"a port is 1 to {HIGHEST_PORT}, not {port}")
    return found["end"], port, said


def _address(words: str) -> Address | None:
    try:
        found = ip_address(words.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    try:
        return parse_address(found)
    except ValueError as error:
        raise AxonemeError(str(error)) from None


def _listed(names: Iterable[str]) -> str:
    some = sorted(names)
    rest = len(some) - 8
    return ", ".join(some[:8]) + (f" and {rest} more" if rest > 0 else "") or "none"
