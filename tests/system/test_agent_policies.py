# SPDX-License-Identifier: Apache-2.0
"""Policies as people write them, the real agent, and who then reaches a pod by real packets."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from attrs import frozen
from tests.system.agents import AgentNode
from tests.system.policies import ALL, EGRESS, INGRESS, PEOPLE, PODS, PORTS
from tests.system.traffic import associates

from axoneme.model import Address
from axoneme.testing import Node, Place, join

OUTSIDE = 9
_source_ports = itertools.count(1024)


@frozen
class Town:
    """A server, three pods, their node and a machine outside, all of which may ask it."""

    agent: AgentNode
    server: Place
    places: dict[str, Place]
    targets: tuple[Address, ...]

    def reached(self) -> dict[str, set[str]]:
        """At which ports each of them is answered, over both families, which must agree."""
        questions = [*itertools.product(self.places, PORTS, self.targets)]
        with ThreadPoolExecutor(len(questions)) as pool:
            answers = dict(
                zip(questions, pool.map(lambda q: self._reaches(*q), questions), strict=True)
            )
        found: dict[str, set[str]] = {}
        for who, port in itertools.product(self.places, PORTS):
            one, other = (answers[who, port, target] for target in self.targets)
            assert one == other, f"{who} to {port}: IPv4 {one}, IPv6 {other}"
            found.setdefault(who, set()).update({port} if one else ())
        return found

    def _reaches(self, who: str, port: str, target: Address) -> bool:
        protocol, _, number = port.partition("/")
        place = self.places[who]
        if protocol == "sctp":
            mark = next(_source_ports)
            return associates(place, self.server, target, int(number), source_port=mark)
        return place.reaches(target, int(number), protocol=protocol, timeout=0.4)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """The node with its agent, and whoever lives there."""
    with ExitStack() as stack:
        node, outside = (stack.enter_context(Node(number=n)) for n in (1, OUTSIDE))
        join(node, outside)
        directory = tmp_path_factory.mktemp("town")
        agent = AgentNode(node, directory, f'uplinks = ["uplink{OUTSIDE}"]\n')
        agent.write("people.yaml", PEOPLE)
        stack.enter_context(agent)
        server = agent.add_pod("server")
        places = {
            "friend": agent.add_pod("friend"),
            "stranger": agent.add_pod("stranger"),
            "guest": agent.add_pod("guest", "shop"),
            "node": node,
            "outside": outside,
        }
        for port in PORTS[:4]:
            protocol, _, number = port.partition("/")
            server.serve(int(number), protocol=protocol)
        yield Town(agent, server, places, agent.addresses["default/server"])


@pytest.fixture
def tried(town):
    """A function that puts a policy in effect; it is gone after the test."""

    def put(text):
        town.agent.write("tried.yaml", text)
        town.agent.wait_for(lambda: _in_effect(town), "the policy to be in effect")

    yield put
    town.agent.remove("tried.yaml")
    town.agent.wait_for(lambda: not _in_effect(town), "the policy to be gone")


def _in_effect(town):
    """Whether the policy decides what a pod says to the server, or hears from it."""
    return "default/tried" in str(town.agent.explain("default/friend", "default/server", 1)["legs"])


def test_without_a_policy_everybody_is_answered(town):
    """What is refused below is not refused by anything else."""
    assert town.reached() == dict.fromkeys(town.places, ALL)


@pytest.mark.parametrize("case", INGRESS.values(), ids=INGRESS)
def test_a_policy_lets_in_whom_it_names(town, tried, case):
    """And nobody else, by each protocol and over both families; its own node always."""
    text, allowed = case
    tried(text)
    strangers = dict.fromkeys((*PODS, "outside"), frozenset())
    assert town.reached() == strangers | {"node": ALL} | allowed


@pytest.mark.parametrize("case", EGRESS.values(), ids=EGRESS)
def test_a_policy_lets_out_to_whom_it_names(town, tried, case):
    """The pods of its namespace; those of others, the node and the world go where they like."""
    text, allowed = case
    tried(text)
    others = dict.fromkeys(["guest", "node", "outside"], ALL)
    assert town.reached() == others | dict.fromkeys(["friend", "stranger"], allowed)
