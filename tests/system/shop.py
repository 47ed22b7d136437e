# SPDX-License-Identifier: Apache-2.0
"""A lab with something to look at: a server that a policy closes, a friend of it, a stranger."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import frozen

from axoneme.lab import Lab, Port, Settings
from axoneme.testing import scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PORT = 8080
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop, namespace: default}
spec:
  podSelector: {matchLabels: {app: server}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: friend}}}, {ipBlock: {cidr: 198.51.100.0/24}}]
    ports: [{port: http}, {port: 9000, endPort: 9003, protocol: UDP}]
"""
_SERVER = f"""
import socket
family = socket.AF_INET6
with socket.create_server(("::", {PORT}), family=family, dualstack_ipv6=True) as server:
    print("ready", flush=True)
    held = []
    while True:
        held.append(server.accept()[0])
"""
_CLIENT = f"""
import socket, sys
socket.create_connection((sys.argv[1], {PORT}), float(sys.argv[2])).close()
"""


@frozen
class Shop:
    """The lab, and commands in it. Pods: server and friend on node1, stranger on node2."""

    lab: Lab

    def run(self, *words: str, node: str = "node1") -> subprocess.CompletedProcess[str]:
        """Run a subcommand in a node, with the configuration of its agent if none is given."""
        made = self.lab.node(node)
        config = [] if "--config" in words else ["--config", str(made.config)]
        line = [sys.executable, "-m", "axoneme", *words, *config]
        return subprocess.run(
            made.place.command(line),
            capture_output=True,
            text=True,
            check=False,
            timeout=scaled(60),
        )

    def rows(self, *words: str, node: str = "node1") -> Any:
        """What a subcommand prints as JSON."""
        result = self.run(*words, "-o", "json", node=node)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def connects(self, pod: str, address: str, seconds: float = 5) -> bool:
        """Whether a pod gets a connection to the server's port of an address."""
        line = [sys.executable, "-c", _CLIENT, address, str(scaled(seconds))]
        done = subprocess.run(self.lab.place(pod).command(line), capture_output=True, check=False)
        return done.returncode == 0


@contextmanager
def open_shop(name: str, settings: Settings | None = None) -> Iterator[Shop]:
    """Open it with the policy in effect and one connection made; nothing of it stays."""
    lab = Lab(name)
    lab.up(settings or Settings(nodes=2))
    try:
        (lab.manifests / "shop.yaml").write_text(POLICY)
        server = lab.add_pod(
            "server", node="node1", labels={"app": "server"}, ports=[Port(PORT, "http")]
        )
        lab.add_pod("friend", node="node1", labels={"app": "friend"})
        lab.add_pod("stranger", node="node2")
        line = lab.place("server").command([sys.executable, "-c", _SERVER])
        with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                process.stdout.readline()
                made = Shop(lab)
                assert made.connects("friend", server.addresses[0])
                yield made
            finally:
                process.kill()
    finally:
        lab.down()


def becomes(condition: Callable[[], object], seconds: float = 10) -> bool:
    """Whether a condition comes to hold."""
    end = time.monotonic() + scaled(seconds)
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
