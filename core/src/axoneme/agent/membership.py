# SPDX-License-Identifier: Apache-2.0
"""A node's place in the cluster: its name, number and addresses."""

from __future__ import annotations

import socket
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from axoneme.errors import AxonemeError
from axoneme.model.node import NodeRecord
from axoneme.net import Netlink

from .client import SOCKET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.config import AgentConfig
    from axoneme.model import Address
    from axoneme.sources import EmbeddedSource


@frozen
class Membership:
    """What the node claimed; `problems` says why something is not as the configuration wants it."""

    record: NodeRecord
    problems: tuple[str, ...] = ()


def join_cluster(agent: AgentConfig, source: EmbeddedSource) -> Membership:
    """Claim a number for this node, and tell the others of it.

    What its resource says of its pods' addresses stays. What cannot be claimed is a problem, and
    the node goes on with what it has: pods that run must not suffer.
    """
    name = agent.node_name or socket.gethostname().lower()
    problems: list[str] = []
    number = 0
    if not source.nodes.hold(name):
        problems.append(f"another agent is node {name} already: give one of them another node-name")
    try:
        number = source.node_ids.claim(name)
    except AxonemeError as error:
        problems.append(str(error))
    addresses = agent.node_addresses or tuple(_uplink_addresses(agent.uplinks))
    socket_path = str(agent.run_dir / SOCKET)
    record = NodeRecord(name, addresses, id=number, agent=socket_path)
    return Membership(put_record(source, record), tuple(problems))


def put_record(source: EmbeddedSource, own: NodeRecord) -> NodeRecord:
    """Let a node's resource say what the node knows of itself; the resource then.

    What it says of addresses of pods, and since when there is such a node, stays; what `own` says
    of them is for a resource that is not there.
    """
    record = source.nodes.update(
        own.name,
        lambda old: evolve(old, addresses=own.addresses, id=own.id, agent=own.agent),
    )
    if record is None:
        source.nodes.write(own)
        record = source.nodes.read().get(own.name) or own
    return record


def _uplink_addresses(uplinks: tuple[str, ...]) -> Iterator[Address]:
    """The addresses of the uplinks by which others can reach us, IPv4 first."""
    with Netlink() as netlink:
        found = {i.ip: None for name in uplinks for i in netlink.addresses(netlink.link(name))}
    yield from sorted((a for a in found if not a.is_link_local), key=lambda a: a.version)


def host_addresses(record: NodeRecord) -> set[Address]:
    """Every address that is this node's own, on whichever device."""
    with Netlink() as netlink:
        found = {interface.ip for interface in netlink.addresses()}
    return {a for a in found if not _is_local(a)} | set(record.addresses)


def _is_local(address: Address) -> bool:
    """Whether an address means another host on every link, or none but this one."""
    return address.is_loopback or (isinstance(address, IPv6Address) and address.is_link_local)
