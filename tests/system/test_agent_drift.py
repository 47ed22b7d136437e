# SPDX-License-Identifier: Apache-2.0
"""What people undo by hand: the running agent makes it again within a period, and names it."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests.system.agents import AgentNode

from axoneme._bpf import lib
from axoneme.agent.overlay import OVERLAY, OVERLAY_INDEX
from axoneme.datapath import Table
from axoneme.datapath.images import shared_codec
from axoneme.datapath.pins import open_pin
from axoneme.datapath.tables import Layout
from axoneme.model import NodeIpam
from axoneme.model.node import NodeRecord
from axoneme.testing import Node, join, scaled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.testing import Place

#: The agent looks every 10 seconds, and the machine may be busy.
PERIOD = 10 + scaled(3)
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: default}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
  - from: [{ipBlock: {cidr: 10.2.0.0/16}}, {ipBlock: {cidr: 'fd00:10:2::/64'}}]
    ports: [{port: 9000, protocol: UDP}]
"""
MAPS = ("endpoints", "ipcache", "nodes", "cidrs", "policy", "rule_sets")


class Pair:
    """A node with the agent and two pods, and another node that the agent is told of."""

    def __init__(self, directory, mode, stack) -> None:
        self.node, self.other = (stack.enter_context(Node(number=n)) for n in (1, 2))
        uplink, _ = join(self.node, self.other)
        self.node.netlink.add_address(uplink, "fe80::1:1/64")
        for neighbour in self.node.netlink.neighbours(uplink):
            self.node.netlink.delete_neighbour(uplink, neighbour.address)
        self.far = self.other.add_pod("far")
        sections = f'routing-mode = "{mode}"\nuplinks = ["uplink2"]\n'
        self.agent = AgentNode(self.node, directory, sections)
        record = NodeRecord("two", self.other.addresses, NodeIpam(self.other.pod_networks), 2)
        self.agent.agent.source.nodes.write(record)
        stack.enter_context(self.agent)
        self.one, self.two = self.agent.add_pod("one"), self.agent.add_pod("two")
        rows = {row["name"]: row for row in self.agent.agent.ask("status")["endpoints"]}
        self.device = rows["default/one"]["device"]
        self.targets = self.agent.addresses["default/one"]
        self.agent.write("closed.yaml", POLICY)
        self.agent.wait_for(lambda: self.reached(self.two) == [False, False], "the policy")
        stack.enter_context(self.one.echo())
        if mode == "native":
            self.wait_until_it_works()

    def wait_until_it_works(self) -> None:
        """Wait until neighbours are found and packets go their way."""
        self.agent.wait_for(lambda: works(self), "who may be answered to be so, and nobody else")

    def reached(self, source: Place) -> list[bool]:
        """Whether the first pod answers, by each family."""
        return [source.reaches(a, 9000, protocol="udp", timeout=0.5) for a in self.targets]

    def table(self, name: str) -> Table:
        """A pinned map of core's, as a stranger with the right tool opens it."""
        number = shared_codec().MAPS[name][3]
        return Table(self.pinned(f"maps/{name}_v{number}"), Layout.of(shared_codec(), name))

    def pinned(self, name: str) -> int:
        """A file descriptor of a pin."""
        return self.node.call(open_pin, self.node.bpffs / "axoneme" / name)

    def detach(self, trunk: str) -> None:
        """Detach a trunk from the first pod's device."""
        index = self.node.netlink.link(self.device).index
        link = self.pinned(f"links/{trunk}-{index}")
        assert lib.bpf_link_detach(link) == 0
        os.close(link)

    def wait_for_repairs(self, *words: str) -> None:
        """Wait until the agent has said each of these, for a period at most."""
        end = time.monotonic() + PERIOD
        while missing := [w for w in words if not any(w in p for p in self.repaired())]:
            assert time.monotonic() < end, f"{missing} not among {self.repaired()}"
            time.sleep(0.1)

    def repaired(self) -> list[str]:
        """What the agent says that it repaired."""
        return [problem for problem in self.agent.problems() if problem.startswith("repaired: ")]


def made(tmp_path_factory, mode) -> Iterator[Pair]:
    """The pair in a mode."""
    with ExitStack() as stack:
        yield Pair(tmp_path_factory.mktemp(mode), mode, stack)


@pytest.fixture(scope="module")
def native(tmp_path_factory) -> Iterator[Pair]:
    """With native routes."""
    yield from made(tmp_path_factory, "native")


@pytest.fixture(scope="module")
def tunnel(tmp_path_factory) -> Iterator[Pair]:
    """With a tunnel."""
    yield from made(tmp_path_factory, "tunnel")


def works(pair):
    """Whether the other node's pod is answered, the node too, and a neighbour pod is not."""
    return [pair.reached(place) for place in (pair.far, pair.node, pair.two)] == [
        [True, True],
        [True, True],
        [False, False],
    ]


def test_maps_are_written_again(native):
    """Each is named with what was missing, and what was allowed and closed is so again."""
    assert works(native)
    for name in MAPS:
        native.node.call(native.table(name).clear)
    assert not works(native)
    native.wait_for_repairs(*(f"map {name}: " for name in MAPS))
    native.wait_until_it_works()


def test_programs_are_attached_again(native):
    """Of the pod that had them detached, in both directions."""
    native.detach("from_pod")
    native.detach("to_pod")
    native.wait_for_repairs(f"from_pod on {native.device}", f"to_pod on {native.device}")
    native.wait_until_it_works()


def test_the_way_to_another_node_is_made_again(native):
    """Routes, and the neighbour by which they lead."""
    uplink = native.node.netlink.link("uplink2")
    native.node.run(["ip", "route", "delete", "10.2.0.0/16"])
    native.node.run(["ip", "-6", "route", "delete", "fd00:10:2::/64"])
    for neighbour in native.node.netlink.neighbours(uplink):
        native.node.netlink.delete_neighbour(uplink, neighbour.address)
    native.wait_for_repairs(
        "route to 10.2.0.0/16", "route to fd00:10:2::/64", "neighbour 172.31.0.2"
    )
    native.wait_until_it_works()


def test_the_tunnel_device_is_made_again(tunnel):
    """With its routes and programs."""
    tunnel.node.run(["ip", "link", "delete", OVERLAY])
    tunnel.wait_for_repairs(f"device {OVERLAY}", "route to 10.2.0.0/16", f"to_overlay on {OVERLAY}")
    assert tunnel.node.netlink.link(OVERLAY).index == OVERLAY_INDEX


def test_the_way_from_the_node_to_its_pod_is_made_again(native):
    """Routes, neighbours and the gateway's addresses at the pod's link."""
    netlink, link = native.node.netlink, native.node.netlink.link(native.device)
    for address in native.targets:
        netlink.delete_route(address, link)
        netlink.delete_neighbour(link, address)
    for interface in netlink.addresses(link):
        netlink.delete_address(link, interface)
    native.wait_for_repairs(*(f"route to {address} by" for address in native.targets))
    native.wait_until_it_works()
