# SPDX-License-Identifier: Apache-2.0
"""Agents of a lab that die under traffic: what flows goes on, and what was forbidden stays so."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time

import pytest

from axoneme.lab import Lab, Port, Settings
from axoneme.lab.agents import end_agent, start_agent, wait_for_agents
from axoneme.lab.manifests import apply
from axoneme.testing import scaled

ECHO = """
import socket
echo = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
echo.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
echo.bind(("::", 7000))
while True:
    echo.sendto(*echo.recvfrom(64))
"""
#: Numbered datagrams until the input ends; then how many were sent, and which had no answer.
STREAM = """
import socket, sys, threading, time
stream = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
stream.connect((sys.argv[1], 7000))
stream.settimeout(1)
answered, ended, sent = set(), threading.Event(), 0
def receive():
    while True:
        try:
            answered.add(int.from_bytes(stream.recv(64), "big"))
        except TimeoutError:
            return
        except ConnectionRefusedError:
            pass
receiver = threading.Thread(target=receive)
receiver.start()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set())).start()
while not ended.wait(0.004):
    sent += 1
    try:
        stream.send((sent - 1).to_bytes(8, "big"))
    except ConnectionRefusedError:  # told of one before: the server does not listen yet
        pass
receiver.join()
print(sent, *sorted(set(range(sent)) - answered))
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-friends, namespace: default}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: friend}}}]
    ports: [{port: echo, protocol: UDP}]
"""


@pytest.fixture(params=["native", "tunnel"])
def lab(request, tmp_path):
    """Two nodes, a server that only friends may ask, a friend and a stranger on each node."""
    lab = Lab(f"r{os.getpid()}")
    lab.up(Settings(nodes=2, routing_mode=request.param))
    try:
        ports = [Port(7000, "echo", "UDP")]
        lab.add_pod("server", node="node1", labels={"app": "server"}, ports=ports)
        for node in ("node1", "node2"):
            lab.add_pod(f"friend-{node}", node=node, labels={"app": "friend"})
            lab.add_pod(f"stranger-{node}", node=node)
        policy = tmp_path / "policy.yaml"
        policy.write_text(POLICY)
        apply(lab, policy)
        with subprocess.Popen(lab.place("server").command([sys.executable, "-c", ECHO])) as server:
            yield lab
            server.kill()
    finally:
        lab.down()


def stream(lab, pod, address):
    """Datagrams from a pod to the server and back."""
    pipe = subprocess.PIPE
    line = lab.place(pod).command([sys.executable, "-c", STREAM, address])
    return subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True)


def outcome(process):
    """How many datagrams a stream has sent, and which had no answer."""
    sent, *lost = map(int, process.communicate("", timeout=scaled(20))[0].split())
    return sent, lost


def wait_until_answered(lab, pods, addresses):
    """Wait until every stream between them begins without a loss."""
    end = time.monotonic() + scaled(30)
    while True:
        tried = [stream(lab, pod, address) for pod, address in itertools.product(pods, addresses)]
        time.sleep(0.1)
        lost = [outcome(process)[1] for process in tried]
        if not any(lost):
            return
        assert time.monotonic() < end


def test_killed_agents_lose_nothing_and_open_nothing(lab):
    """On a node and across, in both families: friends' flows have no gap, strangers' no hole."""
    addresses = lab.pod("server").addresses
    friends = [f"friend-node{n}" for n in (1, 2)]
    strangers = [f"stranger-node{n}" for n in (1, 2)]
    wait_until_answered(lab, friends, addresses)
    streams = {
        (pod, address): stream(lab, pod, address)
        for pod, address in itertools.product(friends + strangers, addresses)
    }
    for node in lab.nodes:
        end_agent(node)
        time.sleep(0.3)
        start_agent(node)
        wait_for_agents([node])
        time.sleep(0.3)
    for (pod, address), process in streams.items():
        sent, lost = outcome(process)
        assert sent > 100
        assert lost == ([] if pod in friends else list(range(sent))), f"{pod} to {address}"
