# SPDX-License-Identifier: Apache-2.0
"""Endpoints in files: state/endpoints/<namespace>.<name>.json, in the form of CiliumEndpoint.

What the resource has no field for is in annotations:
    axoneme.dev/interface   the node's end of the pod's link
    axoneme.dev/mac         the pod's MAC address
    axoneme.dev/node        the name of the pod's node
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import msgspec
from attrs import field, frozen

from axoneme.errors import Problem, StateError
from axoneme.model.address import parse_address
from axoneme.model.labels import Labels
from axoneme.model.policy import HIGHEST_PORT, PROTOCOLS, NamedPort
from axoneme.sources._files import SUFFIX, is_name, replace_file, stem_of
from axoneme.sources._reader import FilesReader
from axoneme.sources._resources import (
    AddressPair,
    CiliumEndpoint,
    EndpointIdentity,
    EndpointNetworking,
    EndpointStatus,
    Metadata,
    NamedPortEntry,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from axoneme.model import Address

_INTERFACE = "axoneme.dev/interface"
_MAC = "axoneme.dev/mac"
_NODE = "axoneme.dev/node"
_MAC_BYTES = 6
_U32 = 0xFFFFFFFF
_NO_LABELS = Labels({})


@frozen
class EndpointRecord:
    """An endpoint as it is wanted: what only its node's devices know is not in it.

    `identity` stands for `labels`; `node` is the name of the endpoint's node, "" on a machine
    that is the only one.
    """

    id: int
    name: str
    namespace: str
    ifname: str
    mac: bytes
    addresses: tuple[IPv4Address | IPv6Address, ...]
    identity: int = 0
    labels: Labels = _NO_LABELS
    node: str = ""
    named_ports: tuple[NamedPort, ...] = ()

    def __str__(self) -> str:
        """Return the pod's name as Kubernetes writes it."""
        return f"{self.namespace}/{self.name}"


@frozen
class EndpointsRead:
    """What the directory says, and the files that say nothing usable."""

    records: tuple[EndpointRecord, ...] = ()
    problems: tuple[Problem, ...] = field(default=())

    def of_node(self, node: str) -> tuple[EndpointRecord, ...]:
        """The endpoints of one node."""
        return tuple(record for record in self.records if record.node == node)


class EndpointFiles:
    """The endpoints of all nodes that share a state directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._reader = FilesReader(directory, _decode)

    def read(self) -> EndpointsRead:
        """Every endpoint; a file that is wrong is named and left out.

        So is the second that has an id of one node, or an address of anyone.
        """
        files = self._reader.read()
        ids: dict[tuple[str, int], EndpointRecord] = {}
        addresses: dict[Address, EndpointRecord] = {}
        problems = list(files.problems)
        for file, record in files.values.items():
            other, what = ids.get((record.node, record.id)), f"endpoint id {record.id}"
            key = "status.id"
            for address in record.addresses:
                if other is None and (other := addresses.get(address)) is not None:
                    key, what = "status.networking.addressing", f"address {address}"
            if other is not None:
                path = str(self.directory / file)
                problems.append(Problem(key, path, 0, f"{what} belongs to {other} already"))
                continue
            ids[record.node, record.id] = record
            addresses.update(dict.fromkeys(record.addresses, record))
        return EndpointsRead(tuple(ids.values()), tuple(problems))

    def write(self, record: EndpointRecord) -> None:
        """Add or replace an endpoint, in one step.

        Raises:
            StateError: no file can have its name or labels, or it cannot be written.
        """
        path = self._path(record.namespace, record.name)
        if path is None:
            raise StateError(
                f"an endpoint cannot be called {str(record)!r}: letters, digits, -, _ and . make "
                "names, and a namespace has no dot",
                file=str(self.directory),
            )
        wrong = next((key for key in record.labels if "=" in key), None)
        if wrong is not None:
            raise StateError(f"{record} has the label {wrong!r}, which has a =", file=str(path))
        replace_file(path, _encode(record))

    def delete(self, namespace: str, name: str) -> None:
        """Remove an endpoint; nothing happens if it is not there."""
        path = self._path(namespace, name)
        if path is not None:
            path.unlink(missing_ok=True)

    def _path(self, namespace: str, name: str) -> Path | None:
        """An endpoint's file; None for names that come from outside and would lead elsewhere."""
        if not (is_name(name) and is_name(namespace) and "." not in namespace):
            return None
        return self.directory / f"{_stem(namespace, name)}{SUFFIX}"


def _stem(namespace: str, name: str) -> str:
    return stem_of(f"{namespace}.{name}")


def _decode(path: Path, data: bytes) -> EndpointRecord:
    """Raises ValueError (msgspec's errors are), with the path of the field that is wrong."""
    resource = msgspec.json.decode(data, type=CiliumEndpoint)
    metadata, status = resource.metadata, resource.status
    namespace = metadata.namespace or "default"
    if path.stem != _stem(namespace, metadata.name):
        raise ValueError(f"is the file of {path.stem}, and speaks of {namespace}.{metadata.name}")
    if not 1 <= status.id <= _U32:
        raise ValueError(f"status.id must be 1 to {_U32}, not {status.id}")
    if not 0 <= status.identity.id <= _U32:
        raise ValueError(f"status.identity.id must be 0 to {_U32}, not {status.identity.id}")
    if not metadata.annotations.get(_INTERFACE):
        raise ValueError(f"metadata.annotations has no {_INTERFACE}")
    return EndpointRecord(
        status.id,
        metadata.name,
        namespace,
        metadata.annotations[_INTERFACE],
        _mac(metadata.annotations.get(_MAC, "")),
        _addresses(status.networking.addressing),
        status.identity.id,
        _labels(status.identity.labels),
        metadata.annotations.get(_NODE, ""),
        tuple(map(_named_port, status.named_ports)),
    )


def _addresses(pairs: Iterable[AddressPair]) -> tuple[Address, ...]:
    texts = [text for pair in pairs for text in (pair.ipv4, pair.ipv6) if text]
    if not texts:
        raise ValueError("status.networking.addressing has no address")
    addresses = tuple(map(parse_address, texts))
    if len(set(addresses)) != len(addresses):
        raise ValueError("status.networking.addressing has an address twice")
    return addresses


def _labels(texts: Iterable[str]) -> Labels:
    pairs = (text.partition("=") for text in texts)
    return Labels.of({key: value for key, _, value in pairs})


def _named_port(entry: NamedPortEntry) -> NamedPort:
    proto = PROTOCOLS.get(entry.protocol)
    if proto is None or not 1 <= entry.port <= HIGHEST_PORT or not entry.name:
        raise ValueError(f"status.named-ports: {entry} is no port")
    return NamedPort(entry.name, proto, entry.port)


def _mac(text: str) -> bytes:
    try:
        mac = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        mac = b""
    if len(mac) != _MAC_BYTES:
        raise ValueError(f"{_MAC} must be a MAC address such as 0a:58:0a:01:00:02, not {text!r}")
    return mac


def _encode(record: EndpointRecord) -> bytes:
    pair = AddressPair(
        ipv4=next((str(a) for a in record.addresses if isinstance(a, IPv4Address)), ""),
        ipv6=next((str(a) for a in record.addresses if isinstance(a, IPv6Address)), ""),
    )
    annotations = {_INTERFACE: record.ifname, _MAC: record.mac.hex(":")}
    if record.node:
        annotations[_NODE] = record.node
    names = {number: name for name, number in PROTOCOLS.items()}
    return encode(
        CiliumEndpoint(
            Metadata(record.name, record.namespace, annotations=annotations),
            EndpointStatus(
                record.id,
                EndpointNetworking([pair]),
                EndpointIdentity(record.identity, [f"{k}={v}" for k, v in record.labels.items()]),
                [NamedPortEntry(p.name, p.port, names[p.proto]) for p in record.named_ports],
            ),
        )
    )
