# SPDX-License-Identifier: Apache-2.0
"""Nodes in files: state/nodes/<name>.json, in the form of CiliumNode.

What the resource has no field for is in an annotation:
    axoneme.dev/node-id   the number that was claimed for the node, see `claims`
    axoneme.dev/agent     the socket of the node's agent
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from attrs import evolve, frozen

from axoneme.errors import Problem, StateError
from axoneme.model.address import parse_address
from axoneme.model.node import NodeRecord
from axoneme.sources._files import SUFFIX, is_name, locked, replace_file, try_lock
from axoneme.sources._networks import Networks
from axoneme.sources._node_ipam import decode_ipam, encode_ipam
from axoneme.sources._reader import FilesReader, read_file
from axoneme.sources._resources import (
    CiliumNode,
    Metadata,
    NodeAddress,
    NodeSpec,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme.model import Address
    from axoneme.model.node import Network

_ID = "axoneme.dev/node-id"
_AGENT = "axoneme.dev/agent"
_INTERNAL = "InternalIP"
_HIGHEST_ID = 0xFFFF
_TIME = "%Y-%m-%dT%H:%M:%SZ"


#: A network in quotes, in a file that may have anything else wrong with it.
_QUOTED = re.compile(rb'"([0-9A-Fa-f.:]{2,39}/[0-9]{1,3})"')


@frozen
class NodesRead:
    """What the directory says, and the files that say nothing usable.

    `taken` are the networks of nodes that are not in `records`, as far as that can be told: they
    are no other node's.
    """

    records: tuple[NodeRecord, ...] = ()
    problems: tuple[Problem, ...] = ()
    taken: tuple[Network, ...] = ()

    def get(self, name: str) -> NodeRecord | None:
        """The node of a name."""
        return next((record for record in self.records if record.name == name), None)


class NodeFiles:
    """The nodes that share a state directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._reader = FilesReader(directory, _decode)
        self._held: dict[str, int] = {}

    def read(self) -> NodesRead:
        """Every node; a file that is wrong is named and left out.

        So is a node that has an address, or part of a network, of another: of two nodes the one
        stays that was made first, then the one whose name comes first.
        """
        files = self._reader.read()
        problems = list(files.problems)
        taken = [cidr for problem in problems for cidr in _salvaged(problem.file)]
        networks: Networks[NodeRecord] = Networks()
        addresses: dict[Address, NodeRecord] = {}
        records = []
        for record in sorted(files.values.values(), key=lambda r: (r.created, r.name)):
            text = _taken(record, networks, addresses)
            if text:
                path = str(self.directory / f"{record.name}{SUFFIX}")
                problems.append(Problem(text[0], path, 0, text[1]))
                taken += record.networks
                continue
            for cidr in record.networks:
                networks.add(cidr, record)
            addresses.update(dict.fromkeys(record.addresses, record))
            records.append(record)
        records.sort(key=lambda record: record.name)
        return NodesRead(tuple(records), tuple(problems), tuple(taken))

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
        with locked(self.directory / f".{record.name}.update"):
            self._replace(record)

    def update(self, name: str, change: Callable[[NodeRecord], NodeRecord]) -> NodeRecord | None:
        """Change a node as it is at this moment, while nobody else does; the node then.

        None if there is no such node, or its file is wrong. `change` is quick, and gives back
        the very record that it got where there is nothing to do.

        Raises:
            StateError: it cannot be written.
        """
        if not is_name(name):
            return None
        with locked(self.directory / f".{name}.update"):
            before = self._reader.look_at(f"{name}{SUFFIX}")
            if before is None:
                return None
            after = change(before)
            return after if after == before else self._replace(after)

    def _replace(self, record: NodeRecord) -> NodeRecord:
        if not record.created:
            record = evolve(record, created=datetime.now(UTC).strftime(_TIME))
        file = f"{record.name}{SUFFIX}"
        self._reader.wrote(file, record, replace_file(self.directory / file, _encode(record)))
        return record

    def delete(self, name: str) -> None:
        """Remove a node; nothing happens if it is not there.

        Raises:
            StateError: somebody keeps it locked.
        """
        if not (is_name(name) and self.directory.is_dir()):
            return
        lock = self.directory / f".{name}.update"
        with locked(lock):
            (self.directory / f"{name}{SUFFIX}").unlink(missing_ok=True)
            lock.unlink(missing_ok=True)


def _taken(
    record: NodeRecord, networks: Networks[NodeRecord], addresses: dict[Address, NodeRecord]
) -> tuple[str, str] | None:
    for cidr in record.networks:
        found = networks.overlapping(cidr)
        if found is not None:
            of = "" if found[0] == cidr else f", in its {found[0]}"
            text = f"nodes {found[1]} and {record} both have {cidr}{of}: {record} is left out"
            return "spec.ipam", text
    for address in record.addresses:
        other = addresses.get(address)
        if other is not None:
            text = f"nodes {other} and {record} both have {address}: {record} is left out"
            return "spec.addresses", text
    return None


def _salvaged(file: str) -> Iterator[Network]:
    """The networks that a file names which cannot be read as a node's."""
    try:
        data = read_file(Path(file))
    except (OSError, ValueError):
        return
    for text in dict.fromkeys(_QUOTED.findall(data)):
        with suppress(ValueError):
            yield ip_network(text.decode())


def _decode(path: Path, data: bytes) -> NodeRecord:
    """Raises ValueError (msgspec's errors are), with the path of the field that is wrong."""
    resource = msgspec.json.decode(data, type=CiliumNode)
    metadata, spec = resource.metadata, resource.spec
    if path.stem != metadata.name:
        raise ValueError(f"is the file of {path.stem}, and speaks of {metadata.name}")
    addresses = [parse_address(a.ip) for a in spec.addresses if a.type == _INTERNAL]
    return NodeRecord(
        metadata.name,
        tuple(dict.fromkeys(addresses)),
        decode_ipam(spec.ipam, resource.status),
        _id(metadata.annotations),
        metadata.annotations.get(_AGENT, ""),
        metadata.creationTimestamp,
    )


def _id(annotations: dict[str, str]) -> int:
    text = annotations.get(_ID, "0")
    if not (text.isdecimal() and text.isascii() and len(text) <= 5 and int(text) <= _HIGHEST_ID):
        raise ValueError(f"{_ID} must be a number up to {_HIGHEST_ID}, not {text[:32]!r}")
    return int(text)


def _encode(record: NodeRecord) -> bytes:
    known = {_ID: str(record.id) if record.id else "", _AGENT: record.agent}
    annotations = {key: text for key, text in known.items() if text}
    spec, status = encode_ipam(record.ipam)
    return encode(
        CiliumNode(
            Metadata(record.name, creationTimestamp=record.created, annotations=annotations),
            NodeSpec([NodeAddress(_INTERNAL, str(a)) for a in record.addresses], spec),
            status,
        )
    )
