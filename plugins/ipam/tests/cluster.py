# SPDX-License-Identifier: Apache-2.0
"""Clusters of these tests: nodes, pools, and what becomes of resources when a plan is applied."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

from attrs import evolve

from axoneme.model import (
    AddressPool,
    AddressUsage,
    FamilyPool,
    IpamNode,
    NetworkUsage,
    NodeIpam,
    NodeRecord,
    PodIPPool,
    PoolPart,
)

__all__ = ["AddressPool", "apply", "network", "networks", "node", "pool", "record", "usage"]


def network(text):
    """A network."""
    return ip_network(text)


def networks(*texts):
    """Networks, in this order."""
    return tuple(map(ip_network, texts))


def record(name, **ipam):
    """A node's record: its addresses are of no importance here."""
    return NodeRecord(name, (IPv4Address("192.0.2.1"),), NodeIpam(**ipam))


def node(kubernetes=(), pools=(), **ipam):
    """A node as the hooks get it."""
    return IpamNode(record("a", **ipam), networks(*kubernetes), {p.name: p for p in pools})


def pool(name, v4=(), v6=(), mask=24, mask6=120, reserved=(), reserved6=(), **more):
    """A pool of the cluster; networks are texts, a single one too."""
    v4, v6 = ((text,) if isinstance(text, str) else text for text in (v4, v6))
    return PodIPPool(
        name,
        FamilyPool(networks(*v4), mask, tuple(reserved)) if v4 else None,
        FamilyPool(networks(*v6), mask6, tuple(reserved6)) if v6 else None,
        **more,
    )


def usage(*rows, used=(), waiting=()):
    """What a node has given: rows of pool, network, used, resting and free addresses."""
    found = [NetworkUsage(name, ip_network(text), *counts) for name, text, *counts in rows]
    return AddressUsage(tuple(found), {ip_address(a): "default/pod" for a in used}, tuple(waiting))


def apply(records, assignments):
    """The records after the operator wrote these assignments."""
    after = {one.name: one for one in records}
    for one in assignments:
        ipam = after[one.node].ipam
        if one.pool:
            others = [part for part in ipam.allocated if part.pool != one.pool]
            part = PoolPart(one.pool, (*ipam.part(one.pool), *one.networks))
            ipam = evolve(ipam, allocated=(*others, part))
        else:
            ipam = evolve(ipam, pod_cidrs=(*ipam.pod_cidrs, *one.networks))
        after[one.node] = evolve(after[one.node], ipam=ipam)
    return tuple(after.values())
