# SPDX-License-Identifier: Apache-2.0
"""What `axoneme explain` says of packets on their way through nodes, while nothing is changed."""

from __future__ import annotations

import os
import time
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.packets.dumps import dump_map

from axoneme.datapath import Table
from axoneme.datapath.images import shared_codec
from axoneme.datapath.pins import open_pin
from axoneme.datapath.tables import Layout
from axoneme.errors import AxonemeError
from axoneme.lab import Lab, Port, Settings
from axoneme.lab.agents import end_agent, find_agent, start_agent, wait_for_agents
from axoneme.lab.manifests import apply, withdraw
from axoneme.model import unpack_address
from axoneme.testing import scaled

VERSIONS = pytest.mark.parametrize("version", [4, 6], ids=["IPv4", "IPv6"])
POLICIES = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop, namespace: default}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: friend}}}]
    ports: [{port: http}, {port: 53, protocol: UDP}]
  - from: [{ipBlock: {cidr: 203.0.113.0/24}}, {ipBlock: {cidr: '2001:db8:113::/64'}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: hermits, namespace: default}
spec:
  podSelector: {matchLabels: {app: hermit}}
  policyTypes: [Egress]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: bans, namespace: default}
spec:
  endpointSelector: {matchLabels: {app: server}}
  ingressDeny:
  - fromEndpoints: [{matchLabels: {banned: 'yes'}}]
"""
#: Lines of POLICIES, counted from 1, by what is written there.
SHOP, FRIENDS, NETWORKS, HERMITS, BANS = 1, 7, 9, 11, 24
PODS = {
    "server": ("node1", {"app": "server"}),
    "friend": ("node1", {"app": "friend"}),
    "far-friend": ("node2", {"app": "friend"}),
    "far-stranger": ("node2", {"app": "stranger"}),
    "far-banned": ("node2", {"app": "friend", "banned": "yes"}),
    "hermit": ("node2", {"app": "hermit"}),
}
WORLD = {4: "203.0.113.10", 6: "2001:db8:113::10"}
#: Which programs a packet of far-friend to the server meets.
WAYS = {
    "native": [
        ("node2", "from_pod"),
        ("node2", "to_uplink"),
        ("node1", "from_uplink"),
    ],
    "tunnel": [
        ("node2", "from_pod"),
        ("node2", "to_overlay"),
        ("node1", "from_overlay"),
    ],
}


@pytest.fixture(scope="module", params=WAYS)
def lab(request, tmp_path_factory):
    """Two nodes with the pods, and the policies in effect on both."""
    lab = Lab(f"e{os.getpid()}")
    lab.up(Settings(nodes=2, routing_mode=request.param))
    try:
        for name, (node, labels) in PODS.items():
            ports = [Port(8080, "http")] if name == "server" else []
            lab.add_pod(name, node=node, labels=labels, ports=ports)
        file = tmp_path_factory.mktemp(request.param) / "policies.yaml"
        file.write_text(POLICIES)
        apply(lab, file)
        expected = {"far-friend": "allowed", "hermit": "dropped", "far-banned": "dropped"}
        wait_for(lambda: {w: ask(lab, w, "server:8080")["verdict"] for w in expected} == expected)
        yield lab
    finally:
        lab.down()


def wait_for(condition):
    """Wait until a condition holds."""
    end = time.monotonic() + scaled(15)
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def ask(lab, source, target, version=0, *, node="node1", protocol=""):
    """What an agent says, whichever node it is of."""
    question = {"source": source, "target": target, "version": version, "protocol": protocol}
    return lab.node(node).ask("explain", **question)


def place(lab, line):
    """Where a line of the policies is."""
    return f"{lab.manifests / 'policies.yaml'}:{line}"


def way(answer):
    """The programs that a packet met, and the nodes where."""
    return [(leg["node"], leg["trunk"]) for leg in answer["legs"]]


def steps(answer, stage=""):
    """The answers of all lanes on the way, or of a stage's."""
    found = [step for leg in answer["legs"] for step in leg["steps"]]
    return [step for step in found if stage in ("", step["stage"])]


def rules(answer):
    """The rules that decided, and where they are written."""
    return [(s["rule"]["rule"], s["rule"]["place"]) for s in steps(answer) if s["rule"]]


def lookups(answer, name):
    """What a map was asked and answered, on the whole way."""
    return [found for step in steps(answer) for found in step["lookups"] if found["map"] == name]


def maps_of(lab, node):
    """Where a node's maps are pinned, as its agent sees the files."""
    return Path(f"/proc/{find_agent(lab.node(node)).pid}/root/sys/fs/bpf/axoneme/maps")


def table(lab, node, name):
    """A pinned map of core's."""
    number = shared_codec().MAPS[name][3]
    return Table(
        open_pin(maps_of(lab, node) / f"{name}_v{number}"), Layout.of(shared_codec(), name)
    )


def dump(lab):
    """All maps of both nodes, byte by byte."""
    found = {}
    for node in ("node1", "node2"):
        for path in maps_of(lab, node).iterdir():
            fd = open_pin(path)
            try:
                found[node, path.name] = dump_map(fd)
            finally:
                os.close(fd)
    return found


# What gets through


@VERSIONS
def test_a_packet_is_followed_to_a_pod_of_its_node(lab, version):
    """Through one program, by the rule that is at a line of a file."""
    answer = ask(lab, "friend", "server:8080", version)
    assert (answer["verdict"], answer["outcome"]) == ("allowed", "delivered")
    assert way(answer) == [("node1", "from_pod")]
    assert rules(answer) == [("default/shop ingress[0]", place(lab, FRIENDS))]
    assert "is the first packet of a new flow" in answer["note"]


@VERSIONS
@pytest.mark.parametrize("node", ["node1", "node2"])
def test_a_packet_is_followed_to_another_node(lab, version, node):
    """Whichever agent is asked: it asks the other."""
    answer = ask(lab, "far-friend", "server:8080", version, node=node)
    assert (answer["verdict"], answer["words"]) == ("allowed", "pod default/server gets it")
    assert way(answer) == WAYS[lab.settings.routing_mode]
    assert rules(answer) == [("default/shop ingress[0]", place(lab, FRIENDS))]


@VERSIONS
def test_each_step_says_who_answered_what_and_what_it_looked_up(lab, version):
    """In the order of the way, with the nanoseconds that it took."""
    answer = ask(lab, "friend", "server:8080", version)
    assert {step["plugin"] for step in steps(answer)} == {"tc"}
    assert all(0 < step["nanoseconds"] < 100_000 for step in steps(answer))
    assert [found["row"] for found in lookups(answer, "conntrack")] == ["no such flow: a new one"]
    server = next(a for a in lab.pod("server").addresses if ip_address(a).version == version)
    assert {found["row"].split(",")[0]: found["key"] for found in lookups(answer, "endpoints")}[
        "default/server"
    ] == server
    assert lookups(answer, "policy")[-1]["row"] == "allowed by default/shop ingress[0]"
    assert {found["expected"] for step in steps(answer) for found in step["lookups"]} == {""}


@VERSIONS
@pytest.mark.parametrize(
    ("source", "target", "protocol", "words"),
    [
        ("far-friend", "server:53/udp", "", "pod default/server gets it"),
        ("far-friend", "far-stranger", "icmp", "pod default/far-stranger gets it"),
        ("node2", "friend:80", "", "pod default/friend gets it"),
        ("host", "far-friend:80", "", "pod default/far-friend gets it"),
        ("friend", "node2:22", "", "node node2 itself gets it"),
        ("friend", "host:22", "", "node node1 itself gets it"),
        ("WORLD", "server:80", "", "pod default/server gets it"),
        ("far-friend", "WORLD", "icmp", "it leaves node node2 by eth0"),
        ("far-friend", "WORLD:443", "", "it leaves node node2 by eth0"),
    ],
)
def test_ends_are_pods_nodes_and_the_world(lab, version, source, target, protocol, words):
    """By each protocol and both families."""
    world = WORLD[version] if protocol or source == "WORLD" else f"[{WORLD[version]}]"
    source, target = source.replace("WORLD", world), target.replace("WORLD", world)
    answer = ask(lab, source, target, version, protocol=protocol)
    assert (answer["verdict"], answer["words"]) == ("allowed", words)


# What does not


@VERSIONS
def test_who_is_in_no_rule_learns_the_policy_and_the_nearest_miss(lab, version):
    """Where the server is, which refuses by the default of its policy."""
    answer = ask(lab, "far-stranger", "server:8080", version)
    assert way(answer) == WAYS[lab.settings.routing_mode]
    refusal = answer["refusal"]
    assert (answer["verdict"], refusal["node"], refusal["plugin"], refusal["stage"]) == (
        "dropped",
        "node1",
        "tc",
        "policy",
    )
    assert (refusal["direction"], refusal["reason"]["text"]) == ("ingress", "Policy denied")
    assert {"policy": "default/shop", "place": place(lab, SHOP)} in refusal["policies"]
    change = "default/far-stranger had the label app=friend"
    assert answer["advice"] == [f"It would be allowed if {change} (default/shop ingress[0])."]


@VERSIONS
def test_who_comes_to_another_port_learns_which_would_do(lab, version):
    """The number behind a name, and those of other protocols."""
    advice = ask(lab, "friend", "server:80", version)["advice"]
    assert any("it went to port 8080, which default/server calls http" in a for a in advice)
    assert any("it went to UDP port 53" in a for a in advice)


@VERSIONS
def test_who_is_denied_by_a_rule_learns_which(lab, version):
    """And what about the sender makes the rule his."""
    answer = ask(lab, "far-banned", "server:8080", version)
    refusal, name = answer["refusal"], "cnp default/bans ingressDeny[0]"
    assert refusal["reason"]["text"] == "Policy denied by denylist"
    assert (refusal["rule"]["rule"], refusal["rule"]["place"]) == (name, place(lab, BANS))
    assert any("default/far-banned did not have the label banned" in a for a in answer["advice"])


@VERSIONS
def test_who_may_not_send_learns_it_on_his_own_node(lab, version):
    """The packet comes no further; who asks for it may be elsewhere."""
    answer = ask(lab, "hermit", "server:8080", version)
    refusal = answer["refusal"]
    assert way(answer) == [("node2", "from_pod")]
    assert (refusal["node"], refusal["direction"]) == ("node2", "egress")
    assert refusal["policies"] == [{"policy": "default/hermits", "place": place(lab, HERMITS)}]
    assert answer["advice"] == ["No small change would do: it needs a rule of its own."]


@pytest.mark.parametrize(
    ("source", "target", "question", "words"),
    [
        ("default/far-freind", "server:80", {}, "no pod default/far-freind; did you mean default/"),
        ("far-frend", "server:80", {}, "did you mean far-friend?"),
        ("friend", "servr:80", {}, "did you mean server?"),
        ("friend", "server", {}, "server has no port: write server:80"),
        ("friend", "server:70000", {}, "a port is 1 to 65535, not 70000"),
        ("friend", "server:80/tpc", {}, "did you mean tcp?"),
        ("friend", "203.0.113.10:80", {"version": 6}, "do not both have an IPv6 address"),
        ("203.0.113.10", "203.0.113.11:80", {}, "of this cluster"),
        ("friend", "server:80", {"colour": "red"}, "colour"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(lab, source, target, question, words):
    """In one sentence, with the nearest name, and the agent goes on."""
    with pytest.raises(AxonemeError) as refused:
        lab.node("node1").ask("explain", source=source, target=target, **question)
    assert words in str(refused.value)


# What the kernel has


def test_all_maps_are_byte_by_byte_what_they_were(lab):
    """On both nodes. Real packets count too, so that some attempt must be without any."""
    for source in ("friend", "far-friend", "far-stranger", "far-banned", "hermit", "world"):
        for version in (4, 6):
            wait_for(lambda s=source, v=version: _changes_nothing(lab, s, v))


def _changes_nothing(lab, source, version):
    before = dump(lab)
    ask(lab, source, "server:8080", version)
    return dump(lab) == before


@VERSIONS
@pytest.mark.parametrize("name", ["policy", "ipcache"])
def test_a_row_deleted_by_hand_is_missed(lab, version, name):
    """The kernel's answer is told, and what should be there; not what the agent remembers."""
    friend = ask(lab, "far-friend", "server:8080", version)["source"]
    for _ in range(3):  # the agent, which repairs it too, may have been faster
        answer = without(lab, version, name, lambda key: about(friend, name, key))
        if any(found["expected"] for found in lookups(answer, name)):
            break
    found = next(one for one in lookups(answer, name) if one["expected"])
    assert found["row"] == "nothing"
    if name == "policy":
        assert answer["verdict"] == "dropped"
        assert found["expected"] == "allowed by default/shop ingress[0]"
        assert "rule sets of the node's maps are others" in answer["advice"][0]
    else:
        assert f"identity {friend['identity']}" in found["expected"]
    assert ask(lab, "far-friend", "server:8080", version)["verdict"] == "allowed"


def without(lab, version, name, chosen):
    """What is said of the friend on the other node while rows of a map are not there."""
    opened = table(lab, "node1", name)
    try:
        rows = [(key, row) for key, row in opened.read() if chosen(key)]
        opened.delete([key for key, _ in rows])
        try:
            return ask(lab, "far-friend", "server:8080", version)
        finally:
            opened.write(rows)
    finally:
        os.close(opened.fd)


def about(end, name, key):
    """Whether a row of a map is about an end."""
    if name == "policy":
        return key["identity"] == end["identity"]
    return str(unpack_address(key)) == end["address"]


def test_a_node_whose_agent_is_gone_is_named(lab):
    """The way to it is told; from there nobody knows."""
    end_agent(lab.node("node2"))
    try:
        lost = ask(lab, "friend", "far-stranger:80")
        assert lost["verdict"] == "lost"
        assert "node2" in lost["words"]
        assert "no agent answers" in lost["words"]
        assert way(lost)[0] == ("node1", "from_pod")
    finally:
        start_agent(lab.node("node2"))
        wait_for_agents([lab.node("node2")])
    wait_for(lambda: ask(lab, "friend", "far-stranger:80")["verdict"] == "allowed")


def test_a_policy_that_is_gone_is_told_of_no_more(lab):
    """The pod is open then, and it is said that nobody restricts it."""
    text = (lab.manifests / "policies.yaml").read_bytes()
    withdraw(lab, "policies.yaml")
    try:
        wait_for(lambda: ask(lab, "far-stranger", "server:8080")["verdict"] == "allowed")
        words = steps(ask(lab, "far-stranger", "server:8080"), "policy")[-1]["words"]
        assert words in ("", "no policy restricts what gets into the pod")
    finally:
        draft = lab.manifests / ".policies.yaml"
        draft.write_bytes(text)
        draft.replace(lab.manifests / "policies.yaml")
    wait_for(lambda: ask(lab, "far-stranger", "server:8080")["verdict"] == "dropped")
