# SPDX-License-Identifier: Apache-2.0
"""The embedded source: a directory of files, shared by the agents of a machine. No server.

state/endpoints/<namespace>.<name>.json is one endpoint in the form of the CiliumEndpoint resource
(cilium.io/v2). What the resource has no field for is in annotations:
    axoneme.dev/interface   the node's end of the pod's link
    axoneme.dev/mac         the pod's MAC address
Files are made elsewhere in the directory's file system and renamed, so that none is read half
written; names that begin with a dot are passed over.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

import msgspec
from attrs import field, frozen

from axoneme.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path

_INTERFACE = "axoneme.dev/interface"
_MAC = "axoneme.dev/mac"
_SUFFIX = ".json"


class _Metadata(msgspec.Struct):
    name: str
    namespace: str = "default"
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class _Identity(msgspec.Struct):
    id: int = 0


class _AddressPair(msgspec.Struct, omit_defaults=True):
    ipv4: str = ""
    ipv6: str = ""


class _Networking(msgspec.Struct):
    addressing: list[_AddressPair]


class _Status(msgspec.Struct):
    id: int
    networking: _Networking
    identity: _Identity = msgspec.field(default_factory=_Identity)


class _CiliumEndpoint(msgspec.Struct):
    metadata: _Metadata
    status: _Status
    apiVersion: str = "cilium.io/v2"  # noqa: N815 - the resource's own spelling
    kind: str = "CiliumEndpoint"


@frozen
class EndpointRecord:
    """An endpoint as it is wanted: what only its node's devices know is not in it."""

    id: int
    name: str
    namespace: str
    ifname: str
    mac: bytes
    addresses: tuple[IPv4Address | IPv6Address, ...]
    identity: int = 0


@frozen
class EndpointsRead:
    """What the directory says, and the files that say nothing usable."""

    records: tuple[EndpointRecord, ...] = ()
    problems: tuple[Problem, ...] = field(default=())


class EmbeddedSource:
    """The endpoints of a state directory."""

    def __init__(self, state: Path) -> None:
        self.endpoints = state / "endpoints"

    def create(self) -> None:
        """Make the directory, if it is not there."""
        self.endpoints.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self) -> EndpointsRead:
        """Every endpoint; a file that is wrong is named and left out, and so is a second id."""
        records: dict[int, EndpointRecord] = {}
        problems = []
        for path in sorted(self.endpoints.glob(f"[!.]*{_SUFFIX}")):
            try:
                record = _decode(path.read_bytes())
            except FileNotFoundError:
                continue  # removed since the directory was listed
            except ValueError as error:
                problems.append(Problem("", str(path), 0, str(error)))
                continue
            if record.id in records:
                other = records[record.id]
                text = f"endpoint id {record.id} belongs to {other.namespace}/{other.name} already"
                problems.append(Problem("status.id", str(path), 0, text))
                continue
            records[record.id] = record
        return EndpointsRead(tuple(records.values()), tuple(problems))

    def write(self, record: EndpointRecord) -> None:
        """Add or replace an endpoint, in one step."""
        path = self._path(record.namespace, record.name)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_bytes(_encode(record))
        draft.replace(path)

    def delete(self, namespace: str, name: str) -> None:
        """Remove an endpoint; nothing happens if it is not there."""
        self._path(namespace, name).unlink(missing_ok=True)

    def _path(self, namespace: str, name: str) -> Path:
        return self.endpoints / f"{namespace}.{name}{_SUFFIX}"


def _decode(data: bytes) -> EndpointRecord:
    """Raises ValueError (msgspec's errors are), with the path of the field that is wrong."""
    resource = msgspec.json.decode(data, type=_CiliumEndpoint)
    metadata, status = resource.metadata, resource.status
    texts = [t for pair in status.networking.addressing for t in (pair.ipv4, pair.ipv6) if t]
    if not texts:
        raise ValueError("status.networking.addressing has no address")
    if not metadata.annotations.get(_INTERFACE):
        raise ValueError(f"metadata.annotations has no {_INTERFACE}")
    return EndpointRecord(
        status.id,
        metadata.name,
        metadata.namespace,
        metadata.annotations[_INTERFACE],
        _mac(metadata.annotations.get(_MAC, "")),
        tuple(ip_address(text) for text in texts),
        status.identity.id,
    )


def _mac(text: str) -> bytes:
    try:
        mac = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        mac = b""
    if len(mac) != 6:
        raise ValueError(f"{_MAC} must be a MAC address such as 0a:58:0a:01:00:02, not {text!r}")
    return mac


def _encode(record: EndpointRecord) -> bytes:
    pair = _AddressPair(
        ipv4=next((str(a) for a in record.addresses if isinstance(a, IPv4Address)), ""),
        ipv6=next((str(a) for a in record.addresses if isinstance(a, IPv6Address)), ""),
    )
    resource = _CiliumEndpoint(
        _Metadata(
            record.name,
            record.namespace,
            {_INTERFACE: record.ifname, _MAC: record.mac.hex(":")},
        ),
        _Status(record.id, _Networking([pair]), _Identity(record.identity)),
    )
    return msgspec.json.format(msgspec.json.encode(resource), indent=2) + b"\n"
