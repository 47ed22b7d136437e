# SPDX-License-Identifier: Apache-2.0
"""What the running agent is given and cannot use: it is named, and nothing else is disturbed."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.cni.test_cni_request import _VALUES, FIELDS, line
from tests.core.policy.manifests import network_policy
from tests.core.policy.test_policy_fuzz import _specs, _values
from tests.system.agents import AgentNode

from axoneme.testing import Node, scaled

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: default, labels: {app: one}}
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: kept, namespace: default}
spec:
  podSelector: {}
  ingress:
  - from: [{podSelector: {matchLabels: {app: one}}}]
"""
UNKNOWN_FIELD = POLICY.replace("name: kept", "name: wrong").replace("ingress:", "ingres:")
FUZZED = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Inhabited(AgentNode):
    """A node with two pods: the first may speak to the second, and it to nobody."""

    def settle(self) -> None:
        """Make the pods, and wait until their policy holds."""
        self.one, self.two = self.add_pod("one"), self.add_pod("two")
        self.one.echo()
        self.two.echo()
        self.wait_for(self.is_undisturbed, "the policy to be in effect")

    def is_undisturbed(self) -> bool:
        """Whether pods that were there speak as their policy says."""
        one, two = (self.addresses[f"default/{name}"] for name in ("one", "two"))
        return all(map(self.one.pings, two)) and not any(
            self.two.reaches(address, 9000, protocol="udp", timeout=0.2) for address in one
        )

    def names(self, *words: str) -> bool:
        """Whether a problem has all of these words."""
        return any(all(word in problem for word in words) for problem in self.problems())


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A node that all tests here share: nothing disturbs it."""
    with Node() as node:
        made = Inhabited(node, tmp_path_factory.mktemp("town"))
        made.write("pods.yaml", PODS)
        made.write("policy.yaml", POLICY)
        with made:
            made.settle()
            made.pid = made.agent.ask("status")["pid"]
            yield made


@pytest.fixture(autouse=True)
def _undisturbed(request):
    """After every test the agent is the same, and so is what it keeps."""
    yield
    if "town" in request.fixturenames:
        town = request.getfixturevalue("town")
        assert town.is_undisturbed()
        status = town.agent.ask("status")
        assert status["pid"] == town.pid
        assert [row["name"] for row in status["endpoints"]] == ["default/one", "default/two"]


# Manifests


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: Pod\nspec: [", [":2: "]),
        ("{" * 5000, []),
        ("\0\xff", []),
        (UNKNOWN_FIELD, [":2: spec.ingres: unknown field", "did you mean 'ingress'"]),
        (UNKNOWN_FIELD.replace("NetworkPolicy", "CiliumNetworkPolicy"), [":2: "]),
    ],
    ids=["no YAML", "deep", "bytes", "an unknown field", "another kind's API"],
)
def test_a_manifest_that_cannot_be_used_is_named(town, text, words):
    """With its file and line; the policies of other files count."""
    name = f"wrong{len(text)}.yaml"  # problems of before are still shown
    town.write(name, text)
    town.wait_for(lambda: town.names(name, *words), f"{words} among the problems")
    town.remove(name)


@FUZZED
@given(st.binary(max_size=200) | _values.map(repr).map(str.encode))
def test_no_manifest_ends_the_agent(town, data):
    """Whatever the bytes are."""
    draft = town.manifests / ".fuzz.yaml"
    draft.write_bytes(data)
    draft.replace(town.manifests / "fuzz.yaml")
    assert town.agent.ask("status")["pid"] == town.pid
    town.remove("fuzz.yaml")


@FUZZED
@given(_specs)
def test_no_policy_ends_the_agent(town, spec):
    """Whatever fields it has where: what is a policy counts, elsewhere."""
    document = network_policy(spec)
    document["metadata"]["namespace"] = "elsewhere"
    town.write("fuzz.yaml", json.dumps(document, default=repr))
    assert town.agent.ask("status")["pid"] == town.pid
    town.remove("fuzz.yaml")


# State


@pytest.mark.parametrize("directory", ["endpoints", "nodes", "identities"])
@pytest.mark.parametrize("data", [b"", b'{"metadata": {"na', b"\xff\0", b"[" * 9999])
def test_a_state_file_that_is_garbage_is_named(town, directory, data):
    """Half written, by a tool that does not rename, or anything else."""
    name = "77777.json" if directory == "identities" else f"garbage{len(data)}.json"
    path = town.agent.source.endpoints.parent / directory / name
    path.write_bytes(data)
    try:
        if directory != "identities":  # those are asked for by their labels, one by one
            town.wait_for(lambda: town.names(str(path)), f"{path} among the problems")
        assert town.is_undisturbed()
    finally:
        path.unlink()


def test_two_nodes_with_one_network_are_named(town):
    """Ours stays ours, and its packets stay here."""
    path = town.agent.source.nodes.directory / "one.json"
    thief = json.loads(path.read_text().replace('"one"', '"thief"'))
    text = json.dumps(thief).replace("172.31.0.1", "172.31.0.9").replace("fd00:172::1", "fd00::9")
    path = path.with_name("thief.json")
    path.write_text(text)
    try:
        town.wait_for(lambda: town.names("one", "thief", "10.1.0.0/16"), "both nodes to be named")
        assert town.is_undisturbed()
    finally:
        path.unlink()


# The CNI


def sent(town, data):
    """What the agent answers on the CNI's socket."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(scaled(10))
        stream.connect(str(town.agent.run_dir / "cni.sock"))
        stream.sendall(data + b"\n")
        return stream.recv(1 << 16)


_CONFIGS = st.dictionaries(
    st.sampled_from(["cniVersion", "name", "args", "prevResult", "runtimeConfig"]), _VALUES
)
_FIELDS = st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=20))


@FUZZED
@given(st.binary(max_size=200) | st.builds(lambda c, f: line(c, **f), _CONFIGS, _FIELDS))
def test_no_request_ends_the_agent(town, data):
    """It is answered by a number, and nothing of it stays: its namespace is none."""
    data = (data if isinstance(data, bytes) else data.encode()).replace(b"\n", b" ")
    answer = sent(town, data)
    assert answer.split()[0] in {b"0", b"1"}
    assert len(town.agent.ask("status")["endpoints"]) == 2


def test_no_configuration_ends_the_executable(town):
    """What it prints is an error of the specification, and the next one is served."""
    one = town.container()
    for config in ("{", "[]", "null", '{"cniVersion": 5}', '{"name": []}', "\0", "{" * 9999):
        answer = town.run("ADD", one, config=config)
        assert answer.code == 1
        assert answer.document["code"] > 0
    missing = town.run("ADD", one, CNI_NETNS="/run/netns/nonesuch")
    assert missing.document["code"] == 101
    assert "nonesuch" in missing.document["msg"]
    assert town.run("STATUS").code == 0
    town.containers.pop().close()


# What runs out


def test_a_pool_that_has_run_dry_is_named(node, tmp_path):
    """By its network and size; who has an address keeps it, and the next may have one again."""
    with AgentNode(node, tmp_path, 'address-quarantine = "0s"\n') as agent:
        agent.agent.write_node("one", [ip_network("10.1.0.0/31"), *node.pod_networks[1:]])
        one = agent.add_pod("one")
        agent.add_pod("other")
        two = agent.container()
        answer = agent.run("ADD", two)
        assert answer.document["code"] == 100
        assert "pool default of 2: no IPv4 address is free" in answer.document["msg"]
        assert (one.links(), two.links()) == ({"eth0"}, set())
        assert agent.run("STATUS").document["code"] == 50
        assert agent.run("CHECK", one).code == 0
        assert agent.run("DEL", one).code == 0
        agent.add(two)


def test_a_full_conntrack_refuses_new_flows_by_name(node, tmp_path):
    """Those that are known go on; the drops are counted under their reason, and status warns."""
    agent = AgentNode(node, tmp_path, "[agent.map-entries]\nconntrack = 64\n")
    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
        (target, _) = agent.addresses["default/two"]
        with two.echo(), one.connected(target) as known:
            known.send(b"first")
            assert known.recv(64) == b"first"
            answered = sum(
                one.reaches(target, 9000, protocol="udp", timeout=0.05) for _ in range(120)
            )
            assert 0 < answered < 120
            known.send(b"still")
            assert known.recv(64) == b"still"
        reasons = {drop["reason"] for drop in agent.agent.ask("status")["drops"]}
        assert "conntrack_full" in reasons
        agent.wait_for(
            lambda: any("conntrack is almost full" in p for p in agent.problems()), "the warning"
        )


# A clock that jumps


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """A file by which the wall clock of processes started now is moved, by seconds."""
    source = Path(__file__).parent / "csrc" / "clock.c"
    library, offset = tmp_path / "libclock.so", tmp_path / "offset"
    words = ["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]
    subprocess.run(words, check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("WALL_CLOCK", str(offset))
    return offset


def test_a_wall_clock_that_jumps_is_not_noticed(clock, node, tmp_path):
    """Pods come and go, policies change and flows go on, whatever time it is said to be."""
    agent = Inhabited(node, tmp_path)
    agent.write("pods.yaml", PODS)
    agent.write("policy.yaml", POLICY)
    with agent:
        agent.settle()
        (target, _) = agent.addresses["default/two"]
        with agent.one.connected(target) as flow:
            for number, seconds in enumerate((7200, -200_000, 10**9, 0)):
                clock.write_text(str(seconds))
                told = [sys.executable, "-c", "import time; print(time.time())"]
                now = float(subprocess.run(told, check=True, capture_output=True).stdout)
                assert abs(now - seconds - clock.stat().st_mtime) < scaled(60)
                flow.send(b"still")
                assert flow.recv(64) == b"still"
                guest = agent.add_pod(f"guest{number}")
                agent.remove("policy.yaml")
                agent.wait_for(lambda: not agent.is_undisturbed(), "the policy to be gone")
                agent.write("policy.yaml", POLICY)
                agent.wait_for(agent.is_undisturbed, "the policy to be back")
                assert agent.run("DEL", guest).code == 0
                status = agent.agent.ask("status")
                assert [row["name"] for row in status["endpoints"]] == [
                    "default/one",
                    "default/two",
                ]
                assert 0 <= status["seconds"] < scaled(600)
                assert status["problems"] == []
