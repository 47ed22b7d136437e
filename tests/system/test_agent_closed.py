# SPDX-License-Identifier: Apache-2.0
"""Pods that a policy closes both ways: what goes on all the same, and what says why it does not."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest
from tests.system.agents import AgentNode
from tests.system.traffic import PORT, Sender, arrived, listen

from axoneme.net import Netlink
from axoneme.testing import Node, scaled

FAMILIES = pytest.mark.parametrize("index", [0, 1], ids=["IPv4", "IPv6"])
OUTSIDE = "198.51.100.1", "2001:db8::1"
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: default, labels: {app: one}}
---
apiVersion: v1
kind: Pod
metadata: {name: two, namespace: default, labels: {app: two}}
"""
CLOSED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: default}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
"""
FRIENDS = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: friends, namespace: default}}
spec:
  podSelector: {{}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{{podSelector: {{}}}}]
  - ports: [{{port: {number}, protocol: UDP}}]
  egress:
  - to: [{{podSelector: {{}}}}]
"""
REFUSED = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: refused, namespace: default}
spec:
  endpointSelector: {matchLabels: {app: two}}
  ingressDeny:
  - fromEndpoints: [{matchLabels: {app: one}}]
"""


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    """A node with two pods, which are closed."""
    with Node() as node:
        made = AgentNode(node, tmp_path_factory.mktemp("closed"))
        made.write("pods.yaml", PODS)
        made.write("closed.yaml", CLOSED)
        with made:
            made.one, made.two = made.add_pod("one"), made.add_pod("two")
            yield made


@pytest.fixture
def friends(agent):
    """A function that opens the pods to each other; it is over after the test."""

    def put(number=1):
        agent.write("friends.yaml", FRIENDS.format(number=number))
        agent.wait_for(lambda: said(agent)["verdict"] == "allowed", "the pods to be open")

    yield put
    agent.remove("friends.yaml")
    agent.wait_for(lambda: said(agent)["verdict"] == "dropped", "the pods to be closed")


def said(agent, source="default/one", target="default/two", port=80):
    """What the agent says of a packet from the first pod to the second, or what is asked."""
    return agent.explain(source, target, port)


def refused(answer):
    """By which stage, at which side and by whose policies a packet is refused."""
    refusal = answer["refusal"]
    policies = [one.get("rule", one["policy"]) for one in refusal["policies"]]
    return answer["verdict"], refusal["stage"], refusal["direction"], policies


def forget_neighbours():
    """Forget all neighbours, from inside a pod."""
    with Netlink() as netlink:
        link = netlink.link("eth0")
        for neighbour in netlink.neighbours(link):
            netlink.delete_neighbour(link, neighbour.address)


def macs():
    """The MAC addresses of a pod's neighbours, from inside."""
    with Netlink() as netlink:
        return {str(n.address): n.mac for n in netlink.neighbours(netlink.link("eth0")) if n.mac}


# What is above policy


def test_a_closed_pod_finds_its_gateway(agent):
    """ARP and neighbour discovery are the link's own, although no packet of its own gets out."""
    agent.one.call(forget_neighbours)
    for address in agent.addresses["default/two"]:
        assert not agent.one.reaches(address, PORT, protocol="udp", timeout=0.3)
    known = agent.one.call(macs)
    (device,) = (
        row["device"]
        for row in agent.agent.ask("status")["endpoints"]
        if row["name"] == "default/one"
    )
    mac = agent.node.netlink.link(device).mac
    assert (known["169.254.1.1"], known["fe80::1"]) == (mac, mac)


@FAMILIES
def test_its_node_finds_a_closed_pod_and_probes_it(agent, index):
    """The kernel asks the pod for its MAC address, and a kubelet's probe is answered."""
    address = agent.addresses["default/two"][index]
    for link in agent.node.netlink.links():
        if address in {n.address for n in agent.node.netlink.neighbours(link)}:
            agent.node.netlink.delete_neighbour(link, address)
    with agent.two.serve(8080):
        assert agent.node.reaches(address, 8080)
        assert not agent.one.reaches(address, 8080, timeout=0.3)


def test_its_node_is_refused_where_the_configuration_says_so(agent):
    """The probe is dropped like all else, and the policy is named; no agent is started anew."""
    own = agent.node.addresses
    assert said(agent, "host")["verdict"] == "allowed"
    agent.configure("[tc]\nallow-host = false\n")
    try:
        agent.wait_for(lambda: said(agent, "host")["verdict"] == "dropped", "the node's refusal")
        for address in own:
            closed = "dropped", "policy", "ingress", ["default/closed"]
            assert refused(said(agent, address)) == closed
        with agent.two.serve(8080):
            for address in agent.addresses["default/two"]:
                assert not agent.node.reaches(address, 8080, timeout=0.3)
    finally:
        agent.configure()
    agent.wait_for(lambda: said(agent, "host")["verdict"] == "allowed", "the allowance")


# Every verdict has a name


@FAMILIES
def test_who_is_refused_by_nobodys_rule_learns_which_policies_select_the_pod(agent, index):
    """At the sender's side or at the receiver's, whichever refuses."""
    one, two = (agent.addresses[f"default/{name}"][index] for name in ("one", "two"))
    closed = ["default/closed"]
    assert refused(said(agent, one, two)) == ("dropped", "policy", "egress", closed)
    outside = OUTSIDE[index]
    assert refused(said(agent, outside, two)) == ("dropped", "policy", "ingress", closed)


@FAMILIES
def test_who_is_refused_by_a_rule_learns_which(agent, friends, index):
    """And who is let through, by which."""
    friends()
    one, two = (agent.addresses[f"default/{name}"][index] for name in ("one", "two"))
    steps = [step for leg in said(agent, one, two)["legs"] for step in leg["steps"]]
    rules = [step["rule"]["rule"] for step in steps if step["rule"]]
    assert rules == ["default/friends egress[0]", "default/friends ingress[0]"]
    agent.write("refused.yaml", REFUSED)
    try:
        agent.wait_for(lambda: said(agent)["verdict"] == "dropped", "the denial")
        answer, rules = said(agent, one, two), ["cnp default/refused ingressDeny[0]"]
        assert refused(answer) == ("dropped", "policy", "ingress", rules)
        assert answer["refusal"]["reason"]["text"] == "Policy denied by denylist"
        with agent.two.serve(8080):
            assert not agent.one.reaches(two, 8080, timeout=0.3)
    finally:
        agent.remove("refused.yaml")
    agent.wait_for(lambda: said(agent)["verdict"] == "allowed", "the end of the denial")


def test_people_see_the_policy_s_name(agent):
    """By the command, at its end; what cannot be asked is refused in one sentence."""

    def command(*words):
        line = [sys.executable, "-m", "axoneme", "explain", *map(str, words)]
        line += ["--config", str(agent.agent.config)]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    denied = (
        "dropped: on node one, in from_pod\n"
        "  by stage policy of tc: Policy denied\n"
        "  nothing in default/closed allows it out of the pod\n"
    )
    place = f"default/closed at {agent.manifests / 'closed.yaml'}:2"
    for target in ("two:8080", "two:53/udp"):
        answer = command("one", target).stdout
        assert denied in answer
        assert place in answer
    assert "allowed: pod default/two gets it\n" in command("host", "two:8080").stdout
    done = command("default/tow", "one:80")
    assert (done.returncode, done.stderr) == (
        1,
        "axoneme: explain: there is no pod default/tow; did you mean default/two?\n",
    )


# What goes on while things change


def test_nobody_sees_half_a_policy(agent, friends):
    """A flow that every version allows loses nothing while versions follow each other."""
    friends()
    target = agent.addresses["default/two"][0]
    with listen(agent.two) as listener, agent.one.socket(kind=socket.SOCK_DGRAM) as source:
        sender = Sender(source, (str(target), PORT))
        sender.start()
        for number in range(2, 42):
            agent.write("friends.yaml", FRIENDS.format(number=number))
            agent.wait_for(
                lambda n=number: said(agent, OUTSIDE[0], port=f"{n}/udp")["verdict"] == "allowed",
                f"version {number}",
            )
        sent = sender.end()
        assert sent > 100
        assert arrived(listener, sent) == sent


class Talk(threading.Thread):
    """Asks and is answered over one connection until it is told to stop; `asked` says how often."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._told = threading.Event()
        self.asked, self.longest = 0, 0

    def run(self) -> None:
        """A word each millisecond."""
        while not self._told.wait(0.001):
            word = self.asked.to_bytes(8, "big")
            self._connection.sendall(word)
            if self._connection.recv(8, socket.MSG_WAITALL) != word:
                return
            self.asked += 1

    def end(self) -> bool:
        """Stop; whether it was answered to the end."""
        alive = self.is_alive()
        self._told.set()
        self.join()
        return alive


@FAMILIES
def test_a_connection_does_not_notice_that_the_agent_is_killed(agent, friends, index):
    """Nor that the next one starts; and what was closed stays closed while there is none."""
    friends()
    target = agent.addresses["default/two"][index]
    with agent.two.serve(8080), agent.one.connect(target, 8080, timeout=10) as connection:
        talk = Talk(connection)
        talk.start()
        agent.agent.kill()
        before = talk.asked
        assert agent.one.reaches(target, 8080)
        agent.agent.wait_for(lambda: talk.asked > before + 20, "the connection to go on")
        assert not agent.two.reaches(agent.node.addresses[index], 22, timeout=scaled(0.2))
        agent.agent.start()
        before = talk.asked
        agent.agent.wait_for(lambda: talk.asked > before + 20, "the connection to go on")
        assert talk.end()
        assert agent.one.reaches(target, 8080)
