# SPDX-License-Identifier: Apache-2.0
"""What is shown of packets between nodes that reach each other through a tunnel."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.system.shop import PORT, becomes, open_shop
from tests.system.watching import Watcher, past

from axoneme.agent.overlay import OVERLAY
from axoneme.lab import Settings
from axoneme.testing.packets import UDP, VXLAN, Ethernet, IPv4, IPv6

FAMILIES = pytest.mark.parametrize("index", [0, 1], ids=["IPv4", "IPv6"])
VXLAN_PORT = 8472
_SEND = """
import socket, sys
source = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
source.sendto(bytes.fromhex(sys.argv[2]), (sys.argv[1], int(sys.argv[3])))
"""


@pytest.fixture(scope="module")
def shop():
    """The shop's server behind a tunnel for a friend and a stranger on the other node."""
    with open_shop(f"t{os.getpid()}", Settings(nodes=2, routing_mode="tunnel")) as made:
        made.lab.add_pod("far-friend", node="node2", labels={"app": "friend"})
        server = made.lab.pod("server").addresses[0]
        assert becomes(lambda: made.connects("far-friend", server, 0.5))
        yield made


def identities(shop):
    """The identity of each pod, as the agents of their nodes say."""
    return {
        row["pod"]: row["identity"]
        for node in ("node1", "node2")
        for row in shop.rows("endpoint", "list", node=node)
    }


def told(shop, node, index, **asked):
    """The flows of a family that a node has told of a pod of the other node and the server."""
    version = (4, 6)[index]
    flows = past(shop.lab.node(node).run_dir, to_pod=["default/server"], **asked)
    return [flow for flow in flows if flow.family == version]


def sides(flow):
    """Both ends as people read them, with their identities and nodes."""
    return [(str(one), one.identity, one.node) for one in (flow.source, flow.destination)]


@FAMILIES
def test_a_connection_through_the_tunnel_is_shown_on_both_nodes(shop, index):
    """Each end by its name, in the direction in which its node saw it."""
    server = shop.lab.pod("server").addresses[index]
    assert shop.connects("far-friend", server)
    numbers = identities(shop)
    expected = [
        ("default/far-friend", numbers["far-friend"], "node2"),
        ("default/server", numbers["server"], "node1"),
    ]
    asked = {"from_pod": ["default/far-friend"], "type": ["opened"]}
    sent = told(shop, "node2", index, **asked)[-1]
    got = told(shop, "node1", index, **asked)[-1]
    assert sides(sent) == sides(got) == expected
    assert (sent.trunk, sent.direction, sent.is_reply) == ("from_pod", "egress", False)
    assert (got.trunk, got.device, got.is_reply) == ("from_overlay", OVERLAY, False)
    assert got.direction == "ingress"
    assert (sent.egress.allowed, sent.ingress) == (True, None)
    assert (got.egress, got.ingress.policies) == (None, ("default/shop",))
    assert got.ingress.rule == "ingress[0]"
    assert {sent.verdict, got.verdict} <= {"FORWARDED", "REDIRECTED"}
    back = past(shop.lab.node("node2").run_dir, to_pod=["default/far-friend"])
    assert any(flow.is_reply and str(flow.source) == "default/server" for flow in back)


@FAMILIES
def test_a_drop_behind_the_tunnel_is_shown_where_it_happens(shop, index):
    """The sender's node lets it go, and the server's has the policy's name."""
    server = shop.lab.pod("server").addresses[index]
    assert not shop.connects("stranger", server, 0.5)
    numbers = identities(shop)
    (drop, *_) = told(shop, "node1", index, from_pod=["stranger"], verdict=["dropped"])
    assert sides(drop) == [
        ("default/stranger", numbers["stranger"], "node2"),
        ("default/server", numbers["server"], "node1"),
    ]
    assert drop.destination_port == PORT
    assert (drop.reason.name, drop.direction) == ("policy_denied", "ingress")
    assert (drop.ingress.allowed, drop.ingress.policies) == (False, ("default/shop",))
    assert not told(shop, "node2", index, from_pod=["stranger"], verdict=["dropped"])
    (gone, *_) = told(shop, "node2", index, from_pod=["stranger"], type=["opened"])
    assert (sides(gone), gone.direction) == (sides(drop), "egress")


@FAMILIES
def test_what_no_node_encapsulated_is_shown_with_the_reason(shop, index):
    """By the packet inside: who really sent it, nobody knows."""
    server = shop.lab.pod("server").addresses[index]
    node = shop.lab.node("node1")
    kind, source = ((IPv4, "10.244.255.9"), (IPv6, "fd00:10:244::9999"))[index]
    inner = Ethernet() / kind(source, server) / UDP(40000, 9000) / b"hello"
    data = bytes(VXLAN(7) / inner).hex()
    watcher = Watcher(node.run_dir, reason=["strange_encapsulation"])
    target = str(node.addresses[0])
    line = [sys.executable, "-c", _SEND, target, data, str(VXLAN_PORT)]
    subprocess.run(shop.lab.outside.command(line), check=True)
    (flow,) = watcher.wait_for(1)
    assert (flow.verdict, flow.reason.name) == ("DROPPED", "strange_encapsulation")
    assert flow.reason.text == "Encapsulated by an address that is no node"
    assert (flow.trunk, flow.device) == ("from_overlay", OVERLAY)
    assert (flow.source.address, flow.source.identity) == (source, 0)
    assert (str(flow.destination), flow.destination_port) == ("default/server", 9000)
