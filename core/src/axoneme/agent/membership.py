# SPDX-License-Identifier: Apache-2.0
"""A node's place in the cluster: name, number and addresses, and the networks of its pods."""

from __future__ import annotations

import socket
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from attrs import frozen

from axoneme.errors import AxonemeError
from axoneme.ipam import ClusterPool, NodeAddresses
from axoneme.model.node import NodeRecord
from axoneme.net import Netlink

from .client import SOCKET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.config import AgentConfig
    from axoneme.model import Address
    from axoneme.model.node import Network
    from axoneme.sources import EmbeddedSource


@frozen
class Membership:
    """What the node claimed; `problems` says why something is not as the configuration wants it."""

    record: NodeRecord
    addresses: NodeAddresses
    problems: tuple[str, ...] = ()


def join_cluster(agent: AgentConfig, source: EmbeddedSource) -> Membership:
    """Claim a number and networks for this node, and tell the others of it.

    A node without an address of its own is known to nobody else. What cannot be claimed is a
    problem, and the node goes on with what it has: pods that run must not suffer.
    """
    name = agent.node_name or socket.gethostname().lower()
    problems: list[str] = []
    networks: list[Network] = []
    number = 0
    if not source.nodes.hold(name):
        problems.append(f"another agent is node {name} already: give one of them another node-name")
    try:
        number = source.node_ids.claim(name)
    except AxonemeError as error:
        problems.append(str(error))
    for cidrs, mask_size in _pools(agent):
        try:
            networks.append(ClusterPool(cidrs, mask_size).claim(source.cidrs, name))
        except (AxonemeError, ValueError) as error:
            problems.append(str(error))
    addresses = agent.node_addresses or tuple(_uplink_addresses(agent.uplinks))
    record = NodeRecord(name, addresses, tuple(networks), number, str(agent.run_dir / SOCKET))
    if addresses:
        source.nodes.write(record)
    return Membership(record, NodeAddresses(networks), tuple(problems))


def _pools(agent: AgentConfig) -> Iterator[tuple[tuple[Network, ...], int]]:
    """The pools that there are: their networks, and the mask of what a node gets."""
    if agent.cluster_pool_ipv4_cidr:
        yield agent.cluster_pool_ipv4_cidr, agent.cluster_pool_ipv4_mask_size
    if agent.cluster_pool_ipv6_cidr:
        yield agent.cluster_pool_ipv6_cidr, agent.cluster_pool_ipv6_mask_size


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
