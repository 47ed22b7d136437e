# SPDX-License-Identifier: Apache-2.0
"""The devices that runtimes asked for: one file each, written before anything else is done.

So an agent that was killed in the middle of an ADD finds what it had begun, and undoes it.
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING

import msgspec
from attrs import evolve, frozen

from axoneme.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.model import Address


class _File(msgspec.Struct, forbid_unknown_fields=True):
    container_id: str
    ifname: str
    network: str
    netns: str
    namespace: str
    name: str
    endpoint: int
    node_ifname: str
    mac: str
    node_mac: str
    addresses: list[str]
    identity: int
    mtu: int
    route_mtu: int
    complete: bool


@frozen
class Attachment:
    """One device of one container, by what it was made of.

    `node_ifname` and `node_mac` are those of the node's end. `complete` is false while its ADD
    has not come to its end.
    """

    container_id: str
    ifname: str
    network: str
    netns: str
    namespace: str
    name: str
    endpoint: int
    node_ifname: str
    mac: bytes
    node_mac: bytes
    addresses: tuple[Address, ...]
    identity: int
    mtu: int
    route_mtu: int
    complete: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What a runtime calls it."""
        return self.container_id, self.ifname

    @property
    def owner(self) -> str:
        """The name under which it has its addresses."""
        return f"{self.container_id}/{self.ifname}"

    def completed(self) -> Attachment:
        """Return the same, at the end of its ADD."""
        return evolve(self, complete=True)


class Attachments:
    """The attachments of one node, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.problems: tuple[Problem, ...] = ()
        # The mode is that of the last directory only, and above it may be the agent's own.
        for path in (directory.parent, directory):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._all = self._read()

    def get(self, container_id: str, ifname: str) -> Attachment | None:
        """Return the attachment of a container's device."""
        return self._all.get((container_id, ifname))

    def all(self) -> tuple[Attachment, ...]:
        """Return all of them."""
        return tuple(self._all.values())

    def of_pod(self, namespace: str, name: str) -> tuple[Attachment, ...]:
        """Return those of a pod."""
        return tuple(a for a in self._all.values() if (a.namespace, a.name) == (namespace, name))

    def put(self, attachment: Attachment) -> None:
        """Add or replace one, in one step."""
        path = self._path(attachment.key)
        draft = path.with_name(f".{path.name}")
        draft.write_bytes(_encode(attachment))
        draft.replace(path)
        self._all[attachment.key] = attachment

    def delete(self, attachment: Attachment) -> None:
        """Forget one; nothing happens if it is not there."""
        self._all.pop(attachment.key, None)
        self._path(attachment.key).unlink(missing_ok=True)

    def _path(self, key: tuple[str, str]) -> Path:
        return self.directory / f"{'@'.join(key)}.json"

    def _read(self) -> dict[tuple[str, str], Attachment]:
        found, problems = {}, []
        for path in sorted(self.directory.glob("[!.]*.json")):
            try:
                attachment = _decode(path.read_bytes())
            except (OSError, ValueError) as error:
                problems.append(Problem("", os.fspath(path), 0, str(error)))
                continue
            found[attachment.key] = attachment
        self.problems = tuple(problems)
        return found


def _encode(attachment: Attachment) -> bytes:
    texts = {
        "mac": attachment.mac.hex(":"),
        "node_mac": attachment.node_mac.hex(":"),
        "addresses": [str(address) for address in attachment.addresses],
    }
    fields = {name: getattr(attachment, name) for name in _File.__struct_fields__}
    return msgspec.json.encode(_File(**fields | texts))


def _decode(data: bytes) -> Attachment:
    """Raises ValueError (msgspec's errors are)."""
    file = msgspec.json.decode(data, type=_File)
    fields = {name: getattr(file, name) for name in _File.__struct_fields__}
    return Attachment(
        **fields
        | {
            "mac": bytes.fromhex(file.mac.replace(":", "")),
            "node_mac": bytes.fromhex(file.node_mac.replace(":", "")),
            "addresses": tuple(map(ip_address, file.addresses)),
        }
    )
