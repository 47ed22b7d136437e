# SPDX-License-Identifier: Apache-2.0
"""Nodes in files: state/nodes/<name>.json, in the form of CiliumNode.

What the resource has no field for is in an annotation:
    axoneme.dev/node-id   the number that was claimed for the node, see `claims`
    axoneme.dev/agent     the socket of the node's agent
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import msgspec
from attrs import frozen

from axoneme.errors import Problem, StateError
from axoneme.model.address import parse_address
from axoneme.model.node import NodeRecord
from axoneme.sources._files import SUFFIX, is_name, replace_file, try_lock
from axoneme.sources._networks import Networks
from axoneme.sources._reader import FilesReader
from axoneme.sources._resources import (
    CiliumNode,
    Metadata,
    NodeAddress,
    NodeIpam,
    NodeSpec,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from axoneme.model import Address
    from axoneme.model.node import Network

_ID = "axoneme.dev/node-id"
_AGENT = "axoneme.dev/agent"
_INTERNAL = "InternalIP"
_HIGHEST_ID = 0xFFFF


@frozen
class NodesRead:
    """What the directory says, and the files that say nothing usable."""

    records: tuple[NodeRecord, ...] = ()
    problems: tuple[Problem, ...] = ()

    def get(self, name: str) -> NodeRecord | None:
        """The node of a name."""
        return next((record for record in self.records if record.name == name), None)


class NodeFiles:
    """The nodes that share a state directory.

    `owner_of` says which node has claimed a network, or None.
    """

    def __init__(self, directory: Path, owner_of: Callable[[Network], str | None]) -> None:
        self.directory = directory
        self._owner_of = owner_of
        self._reader = FilesReader(directory, _decode)
        self._held: dict[str, int] = {}

    def read(self) -> NodesRead:
        """Every node; a file that is wrong is named and left out.

        So is a node that has an address, or part of a network, of another: of two nodes with one
        network the one stays that has claimed it, then the one whose name comes first.
        """
        files = self._reader.read()
        problems = list(files.problems)
        networks: Networks[NodeRecord] = Networks()
        addresses: dict[Address, NodeRecord] = {}
        records = []
        for record in sorted(files.values.values(), key=self._rank):
            text = _taken(record, networks, addresses)
            if text:
                path = str(self.directory / f"{record.name}{SUFFIX}")
                problems.append(Problem(text[0], path, 0, text[1]))
                continue
            for cidr in record.pod_cidrs:
                networks.add(cidr, record)
            addresses.update(dict.fromkeys(record.addresses, record))
            records.append(record)
        records.sort(key=lambda record: record.name)
        return NodesRead(tuple(records), tuple(problems))

    def _rank(self, record: NodeRecord) -> tuple[bool, str]:
        return any(self._owner_of(c) != record.name for c in record.pod_cidrs), record.name

    def hold(self, name: str) -> bool:
        """Be the one agent of a node until this process ends; whether there is no other.

        Two nodes that were given one name would be told apart by nothing else.
        """
        if name not in self._held and is_name(name):
            lock = try_lock(self.directory / f".{name}.lock")
            if lock is not None:
                self._held[name] = lock
        return name in self._held

    def write(self, record: NodeRecord) -> None:
        """Add or replace a node, in one step.

        Raises:
            StateError: no file can have its name, or it cannot be written.
        """
        if not is_name(record.name):
            text = (
                f"a node cannot be called {record.name!r}: letters, digits, -, _ and . make names"
            )
            raise StateError(text, file=str(self.directory))
        replace_file(self.directory / f"{record.name}{SUFFIX}", _encode(record))

    def delete(self, name: str) -> None:
        """Remove a node; nothing happens if it is not there."""
        if is_name(name):
            (self.directory / f"{name}{SUFFIX}").unlink(missing_ok=True)


def _taken(
    record: NodeRecord, networks: Networks[NodeRecord], addresses: dict[Address, NodeRecord]
) -> tuple[str, str] | None:
    for cidr in record.pod_cidrs:
        found = networks.overlapping(cidr)
        if found is not None:
            of = "" if found[0] == cidr else f", in its {found[0]}"
            text = f"nodes {found[1]} and {record} both have {cidr}{of}: {record} is left out"
            return "spec.ipam.podCIDRs", text
    for address in record.addresses:
        other = addresses.get(address)
        if other is not None:
            text = f"nodes {other} and {record} both have {address}: {record} is left out"
            return "spec.addresses", text
    return None


def _decode(path: Path, data: bytes) -> NodeRecord:
    """Raises ValueError (msgspec's errors are), with the path of the field that is wrong."""
    resource = msgspec.json.decode(data, type=CiliumNode)
    metadata, spec = resource.metadata, resource.spec
    if path.stem != metadata.name:
        raise ValueError(f"is the file of {path.stem}, and speaks of {metadata.name}")
    addresses = [parse_address(a.ip) for a in spec.addresses if a.type == _INTERNAL]
    if not addresses:
        raise ValueError(f"spec.addresses has none of type {_INTERNAL}")
    cidrs = tuple(map(ip_network, spec.ipam.podCIDRs))
    own: Networks[str] = Networks()
    for cidr in cidrs:
        if own.overlapping(cidr):
            raise ValueError(f"spec.ipam.podCIDRs has {cidr} twice")
        own.add(cidr, "")
    return NodeRecord(
        metadata.name,
        tuple(dict.fromkeys(addresses)),
        cidrs,
        _id(metadata.annotations),
        metadata.annotations.get(_AGENT, ""),
    )


def _id(annotations: dict[str, str]) -> int:
    text = annotations.get(_ID, "0")
    if not (text.isdecimal() and text.isascii() and len(text) <= 5 and int(text) <= _HIGHEST_ID):
        raise ValueError(f"{_ID} must be a number up to {_HIGHEST_ID}, not {text[:32]!r}")
    return int(text)


def _encode(record: NodeRecord) -> bytes:
    known = {_ID: str(record.id) if record.id else "", _AGENT: record.agent}
    return encode(
        CiliumNode(
            Metadata(record.name, annotations={key: text for key, text in known.items() if text}),
            NodeSpec(
                [NodeAddress(_INTERNAL, str(address)) for address in record.addresses],
                NodeIpam([str(cidr) for cidr in record.pod_cidrs]),
            ),
        )
    )
