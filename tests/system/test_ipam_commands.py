# SPDX-License-Identifier: Apache-2.0
"""`axoneme ipam`: who has which address, of which pool and why, from a real agent."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from ipaddress import ip_address, ip_network

import pytest
from attrs import evolve
from tests.system.runtimes import Runtime
from tests.system.test_cni_podman import Podman

from axoneme.model import PoolPart
from axoneme.testing import scaled
from axoneme.testing.agents import AgentProcess

POOLS = """
apiVersion: cilium.io/v2
kind: CiliumPodIPPool
metadata: {name: default}
spec: {ipv4: {cidrs: [10.50.0.0/16], maskSize: 27}}
---
apiVersion: cilium.io/v2
kind: CiliumPodIPPool
metadata: {name: blue}
spec:
  ipv4: {cidrs: [10.60.0.0/16], maskSize: 29}
  podSelector: {matchLabels: {team: blue}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {team: blue}}
---
apiVersion: v1
kind: Pod
metadata: {name: lost, annotations: {ipam.cilium.io/ip-pool: bleu}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, annotations: {ipam.cilium.io/ip-pool: blue}}
"""
PARTS = [
    PoolPart("default", (ip_network("10.50.0.0/27"),)),
    PoolPart("blue", (ip_network("10.60.0.0/29"),)),
]
_IPAM = '[ipam]\nmode = "multi-pool"\nmulti-pool-pre-allocation = {blue = 3}\n'


class Commands(Runtime):
    """A node with an agent, its runtime, and `axoneme ipam`."""

    def __init__(self, node, directory, plugin, section):
        self.node, self.agent = node, AgentProcess(node, directory)
        own = json.dumps([str(address) for address in node.addresses])
        words = f'node-name = "one"\nnode-addresses = {own}\naddress-quarantine = "1h"\n'
        self.agent.configure(["tc", plugin], words + section)
        super().__init__(directory, self.agent.run_dir)

    def command(self, *words):
        """Run `axoneme ipam`."""
        line = [sys.executable, "-m", "axoneme", "ipam", *words, "--config", self.agent.config]
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=scaled(60))

    def rows(self, *words):
        """What it prints as JSON."""
        done = self.command(*words, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def pod(self, name, **options):
        """A pod, with its container and its address."""
        namespace, _, own = name.rpartition("/")
        made = self.container()
        args = f"K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={own}"
        (address,) = self.add(made, args=args, **options).addresses
        return made, str(address)

    def findings(self, subject):
        """What status says of a subject."""
        found = self.agent.ask("status")["findings"]
        return [one["problem"] for one in found if one["subject"] == subject]


@pytest.fixture
def pools(node, tmp_path):
    """An agent whose node has parts of two pools, as an operator would give them."""
    with Commands(node, tmp_path, "ipam", _IPAM) as made:
        (made.agent.manifests / "pools.yaml").write_text(POOLS)
        with made.agent:
            nodes = made.agent.source.nodes
            nodes.update("one", lambda r: evolve(r, ipam=evolve(r.ipam, allocated=PARTS)))
            made.agent.wait_for(lambda: len(made.rows("pools")) == 2, "both pools")
            yield made


def test_addresses_are_listed_with_what_becomes_of_them(pools):
    """In use or resting, of which pool, and whose."""
    container, address = pools.pod("default/web")
    _, other = pools.pod("default/plain")
    rows = {row["address"]: row for row in pools.rows("list")}
    web = rows[address]
    assert (web["pod"], web["pool"], web["state"]) == ("default/web", "blue", "used")
    assert web["owner"] == f"{container.id}/eth0"
    assert (web["until"], web["since"][-1]) == (None, "Z")
    assert (rows[other]["pod"], rows[other]["pool"]) == ("default/plain", "default")
    assert pools.run("DEL", container).code == 0
    (web,) = (row for row in pools.rows("list") if row["address"] == address)
    assert (web["state"], web["pod"]) == ("resting", "default/web")
    (line,) = (one for one in pools.command("list").stdout.splitlines() if address in one)
    assert f"resting until {web['until']}" in line


def test_pools_are_counted(pools):
    """By network: what is used, rests, and is free."""
    before = {row["network"]: row for row in pools.rows("pools")}
    container, _ = pools.pod("default/web")
    pools.pod("shop/web")
    assert pools.run("DEL", container).code == 0
    blue = {row["network"]: row for row in pools.rows("pools")}["10.60.0.0/29"]
    assert (blue["pool"], blue["family"], blue["size"]) == ("blue", "ipv4", 6)
    was = before["10.60.0.0/29"]
    assert blue["used"] == was["used"] + 1
    assert (blue["resting"], blue["free"]) == (1, was["free"] - 2)
    assert pools.command("pools").stdout.splitlines()[0].split()[:3] == [
        "POOL",
        "NETWORK",
        "FAMILY",
    ]


@pytest.mark.parametrize(
    ("pod", "pool", "why"),
    [
        ("web", "blue", "pool blue selects it"),
        ("default/web", "blue", "pool blue selects it"),
        ("shop/new", "blue", "annotation ipam.cilium.io/ip-pool of the namespace shop"),
        ("other", "default", "no rule names another"),
    ],
)
def test_a_pod_that_is_not_there_is_explained(pools, pod, pool, why):
    """Its pool, by which rule, and the address that it would get; nothing is given."""
    before = pools.rows("pools")
    found = pools.rows("explain", pod)
    assert (found["pools"]["ipv4"], found["addresses"], found["refusal"]) == (pool, [], "")
    assert why in found["why"]
    (address,) = found["would-get"]
    assert pools.rows("pools") == before
    assert pools.pod(found["pod"])[1] == address
    (has,) = pools.rows("explain", pod)["addresses"]
    assert has["address"] == address
    lines = pools.command("explain", pod).stdout
    assert f"{address} of pool {pool} since " in lines
    assert ("podSelector" in lines or "team=blue" in lines) == (pool == "blue")


def test_a_pod_that_gets_none_is_told_why(pools):
    """Its annotation names a pool that there is not: the nearest is named."""
    found = pools.rows("explain", "lost")
    assert found["annotations"] == {"ipam.cilium.io/ip-pool": "bleu"}
    assert "bleu" in found["refusal"]
    assert found["would-get"] == []
    assert "blue" in pools.command("explain", "lost").stdout


def test_an_exhausted_pool_is_explained_and_told_of_before(pools):
    """From nine tenths on, as it asks for more than it gets; and nobody leads who could give it."""
    given = 0
    while not pools.rows("explain", f"shop/p{given}")["refusal"]:
        pools.pod(f"shop/p{given}")
        given += 1
    refusal = pools.rows("explain", "shop/next")["refusal"]
    assert "blue" in refusal
    assert "IPv4" in refusal
    pools.agent.wait_for(lambda: pools.findings("pool blue"), "the pool to be told of")
    assert "of 6 IPv4 addresses are in use" in pools.findings("pool blue")[0]
    assert "no operator leads" in pools.findings("operator")[0]
    scraped = pools.agent.ask("metrics")
    assert 'axoneme_ipam_pool_addresses{family="ipv4",pool="blue",state="free"} 0.0' in scraped
    events = 'cilium_ipam_events_total{action="allocate",datapath_family="ipv4"}'
    assert f"{events} {given}.0" in scraped


def test_pools_of_the_cluster_are_the_operators_to_say(pools):
    """Where none runs, that is said, with the exit code of nobody who answers."""
    done = pools.command("pools", "--cluster")
    assert done.returncode == 3
    assert "operator.sock" in done.stderr


def test_a_strangers_plugin_gives_addresses_of_a_file(node, tmp_path):
    """The example in place of ours: changes are followed, a wrong line named, the rest serves."""
    directory = tmp_path / "addresses"
    directory.mkdir()
    (directory / "one").write_text("10.70.0.1\n10.70.0.8-10.70.0.9\n10.70.0.x\n")
    section = f'[fileipam]\ndirectory = "{directory}"\n'
    with Commands(node, tmp_path, "fileipam", section) as made, made.agent:
        _, first = made.pod("default/a")
        _, second = made.pod("default/b")
        assert {first, second} <= {"10.70.0.1", "10.70.0.8", "10.70.0.9"}
        assert made.findings("operator") == []
        (told,) = made.findings("addresses")
        assert f"{directory}/one:3: '10.70.0.x' does not" in told
        (directory / "one").write_text("10.70.0.1\n10.70.0.8/30\n")
        end = time.monotonic() + scaled(30)
        while made.findings("addresses") and time.monotonic() < end:
            time.sleep(0.2)
        networks = {str(network) for network in made.agent.source.nodes.read().records[0].networks}
        assert networks == {"10.70.0.1/32", "10.70.0.8/30"}
        container = made.container()
        asked = made.add(container, args="K8S_POD_NAME=c;IP=10.70.0.11").addresses
        assert list(map(str, asked)) == ["10.70.0.11"]
        refused = made.run("ADD", made.container(), args="K8S_POD_NAME=d;IP=10.70.0.99")
        assert refused.document["code"] == 100
        assert "10.70.0.99" in refused.document["msg"]


@pytest.mark.skipif(shutil.which("podman") is None, reason="podman: apt install podman")
@pytest.mark.parametrize(
    "asked", [{"--ip": "10.70.0.9"}, {"--ip": "10.70.0.9", "--ip6": "fd00:70::9"}]
)
def test_podman_asks_for_addresses(node, tmp_path, asked):
    """It says one in CNI_ARGS, and two by the capability that our configuration declares."""
    directory = tmp_path / "addresses"
    directory.mkdir()
    (directory / "one").write_text("10.70.0.0/28\nfd00:70::/124\n")
    with Commands(node, tmp_path, "fileipam", f'[fileipam]\ndirectory = "{directory}"\n') as made:
        podman = Podman(made)
        words = [word for pair in asked.items() for word in pair]
        words += ["--security-opt", "seccomp=unconfined", "--rootfs", str(podman.root)]
        with made.agent:
            podman("run", "-d", "--name", "web", *words, "/usr/bin/sleep", "60")
            assert set(map(ip_address, asked.values())) <= podman.addresses("web")
            podman("rm", "-f", "-t", "0", "web")
            assert {row["state"] for row in made.rows("list")} <= {"resting"}


def test_an_operator_that_leads_says_how_much_of_the_clusters_pools_is_given(pools):
    """In parts; and nothing is missed any more."""
    assert pools.findings("operator")
    line = [sys.executable, "-m", "axoneme", "operator", "--config", str(pools.agent.config)]
    operator = pools.node.popen(line)
    try:
        pools.agent.wait_for(lambda: pools.command("pools", "--cluster").returncode == 0, "it")
        pools.agent.wait_for(lambda: len(pools.rows("pools", "--cluster")) == 2, "its plan")
        rows = {row["pool"]: row for row in pools.rows("pools", "--cluster")}
        blue = rows["blue"]
        assert (blue["family"], blue["parts"], blue["given"]) == ("ipv4", 8192, 1)
        assert blue["free"] == blue["parts"] - blue["given"]
        assert pools.findings("operator") == []
    finally:
        operator.terminate()
        operator.wait(scaled(20))
