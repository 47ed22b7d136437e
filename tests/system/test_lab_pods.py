# SPDX-License-Identifier: Apache-2.0
"""Pods of a lab: made by CNI, reached across nodes, stopped by policies, gone without a trace."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from axoneme.errors import AxonemeError
from axoneme.lab import Lab, Port, Settings
from axoneme.lab.agents import end_agent, start_agent, wait_for_agents
from axoneme.lab.manifests import apply, withdraw
from axoneme.lab.status import describe
from axoneme.testing import scaled

SERVER = """
import socket
with socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True) as server:
    while True:
        server.accept()[0].close()
"""
CLIENT = """
import socket, sys
socket.create_connection((sys.argv[1], 8080), float(sys.argv[2])).close()
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop, namespace: default}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: friend}}}]
    ports: [{port: http}]
"""


@pytest.fixture(scope="module", params=["native", "tunnel"])
def lab(request):
    """Two nodes, a server on the first, and a friend and a stranger on each."""
    lab = Lab(f"p{os.getpid()}")
    lab.up(Settings(nodes=2, routing_mode=request.param))
    try:
        lab.add_pod("server", node="node1", labels={"app": "server"}, ports=[Port(8080, "http")])
        for node in ("node1", "node2"):
            lab.add_pod(f"friend-{node}", node=node, labels={"app": "friend"})
            lab.add_pod(f"stranger-{node}", node=node)
        place = lab.place("server")
        with subprocess.Popen(place.command([sys.executable, "-c", SERVER])) as server:
            yield lab
            server.kill()
    finally:
        lab.down()


def reaches(place, address, timeout=0.5):
    """Whether somebody answers a place's connection to port 8080."""
    words = [sys.executable, "-c", CLIENT, str(address), str(scaled(timeout))]
    done = subprocess.run(place.command(words), check=False, capture_output=True)
    return done.returncode == 0


def becomes(condition, seconds=10):
    """Whether a condition holds in time."""
    end = time.monotonic() + scaled(seconds)
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def endpoints(lab):
    """How many endpoints the agent of each node has."""
    return {row["name"]: row["endpoints"] for row in describe(lab)["nodes"]}


def test_pods_have_addresses_of_both_families_and_of_their_node(lab):
    """No two have the same."""
    addresses = [address for pod in lab.pods for address in pod.addresses]
    assert len(addresses) == len(set(addresses)) == 2 * len(lab.pods)
    networks = {pod.node: set() for pod in lab.pods}
    for pod in lab.pods:
        networks[pod.node].add(pod.addresses[0].rpartition(".")[0])
    assert len(networks["node1"]) == len(networks["node2"]) == 1
    assert networks["node1"] != networks["node2"]


def test_pods_reach_each_other_on_a_node_and_across_nodes(lab):
    """Both families, from pods and from nodes."""
    server = lab.pod("server")
    places = [lab.place(name) for name in ("stranger-node1", "stranger-node2", "node1", "node2")]
    for place, address in itertools.product(places, server.addresses):
        assert becomes(lambda p=place, a=address: reaches(p, a)), f"{place.name} to {address}"


def test_pods_reach_the_outside_and_the_outside_reaches_pods(lab):
    """Addresses to which only routes lead, and back."""
    for address in lab.outside_addresses:
        line = lab.place("stranger-node2").command(["ping", "-c1", "-W2", str(address)])
        subprocess.run(line, check=True, capture_output=True)
    for address in lab.pod("server").addresses:
        assert reaches(lab.outside, address)


def check_explained(lab, pod, address):
    """Ask the programs of both ends, who agree, and name the policy."""
    family = lab.pod("server").addresses.index(address)
    source, target = pod.addresses[family], f"[{address}]:8080"
    said = lab.node("node2").ask("explain", source=source, target=target)
    if pod.name.startswith("friend"):
        assert said["verdict"] == "allowed"
        return
    assert said["verdict"] == "dropped"
    assert [one["policy"] for one in said["refusal"]["policies"]] == ["default/shop"]


def test_a_policy_that_is_applied_stops_strangers_and_goes_again(lab, tmp_path):
    """By labels and a named port, over both nodes and families."""
    server = lab.pod("server").addresses
    strangers = [lab.place(f"stranger-node{n}") for n in (1, 2)]
    friends = [lab.place(f"friend-node{n}") for n in (1, 2)]
    for place, address in itertools.product((*friends, *strangers), server):
        assert becomes(lambda p=place, a=address: reaches(p, a)), f"{place.name} to {address}"
    policy = tmp_path / "shop.yaml"
    policy.write_text(POLICY)
    apply(lab, policy)
    try:
        assert becomes(lambda: not reaches(strangers[0], server[0]))
        for place, address in itertools.product(strangers, server):
            assert not reaches(place, address), f"{place.name} to {address}"
        for place, address in itertools.product(friends, server):
            assert reaches(place, address), f"{place.name} to {address}"
        for pod, address in itertools.product(lab.pods, server):
            if pod.name != "server":
                check_explained(lab, pod, address)
    finally:
        withdraw(lab, "shop.yaml")
    assert becomes(lambda: reaches(strangers[0], server[0]))


def test_a_pod_that_is_there_is_not_made_again(lab):
    """The one that is there stays as it is."""
    with pytest.raises(AxonemeError, match="default/server is there already"):
        lab.add_pod("server", node="node2")
    assert lab.pod("server").node == "node1"


def test_a_pod_goes_without_a_trace(lab):
    """Namespace, cgroup, device, files, what runs in it, and the endpoint."""
    before = endpoints(lab)
    pod = lab.add_pod("brief", namespace="shop", node="node1")
    assert endpoints(lab)["node1"] == before["node1"] + 1
    place = lab.place("shop/brief")
    with subprocess.Popen(place.command(["sleep", "1000"])) as process:
        assert becomes(lambda: (place.cgroup / "cgroup.procs").read_text() != "")
        lab.delete_pod(pod)
        assert process.wait(scaled(5)) != 0
    assert endpoints(lab) == before
    assert not place.network.exists()
    assert not place.cgroup.exists()
    assert not Path(f"/run/netns/{place.public}").exists()
    assert becomes(lambda: not list(lab.directory.rglob("*brief*")))  # agents keep what was good


def test_a_pod_is_in_its_nodes_cgroup(lab):
    """So programs at the node's sockets meet its own too."""
    line = lab.place("server").command(["cat", "/proc/self/cgroup"])
    text = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    assert text.splitlines()[-1].endswith(f"/{lab.name}/node1/default.server")


def test_without_an_agent_no_pod_is_made_and_one_can_go(lab):
    """What failed leaves nothing, and the agent that comes back knows of the pod that went."""
    node = lab.node("node2")
    brief = lab.add_pod("brief", node="node2")
    before = endpoints(lab)["node2"]
    end_agent(node)
    try:
        with pytest.raises(AxonemeError, match=r"node2 cannot ADD pod default/more: no agent"):
            lab.add_pod("more", node="node2")
        # The other agent may have kept the manifest as a good one, and lets go of it now.
        assert becomes(lambda: not list(lab.directory.rglob("*more*")))
        lab.delete_pod(brief)
        assert "brief" not in [pod.name for pod in lab.pods]
    finally:
        start_agent(node)
        wait_for_agents([node])
    assert becomes(lambda: endpoints(lab)["node2"] == before - 1)


def test_people_add_and_delete_pods(lab):
    """The command says which addresses a pod got, and what is wrong with what they wrote."""
    line = [sys.executable, "-m", "axoneme", "lab"]
    name = ["--name", lab.name]

    def command(*words):
        return subprocess.run([*line, *words, *name], capture_output=True, text=True, check=False)

    added = command("pod", "add", "typed", "-l", "app=web", "--port", "http=80", "--node", "node2")
    assert added.returncode == 0, added.stderr
    pod = lab.pod("typed")
    assert added.stdout == f"default/typed on node2: {' '.join(pod.addresses)}\n"
    assert (pod.labels, pod.ports) == ({"app": "web"}, (Port(80, "http"),))
    assert "app=web" in command("status").stdout
    assert "did you mean default/typed" in command("pod", "delete", "default/typd").stderr
    assert "write one such as app=web" in command("pod", "add", "x", "-l", "app").stderr
    assert command("pod", "delete", "typed").returncode == 0
    assert "typed" not in [pod.name for pod in lab.pods]
