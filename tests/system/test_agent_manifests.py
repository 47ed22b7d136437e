# SPDX-License-Identifier: Apache-2.0
"""Policies that an agent cannot read when it starts: what they said last stays in force."""

from __future__ import annotations

import shutil

import pytest
from tests.system.runtimes import Runtime

from axoneme.datapath import Pins
from axoneme.testing.agents import AgentProcess

CLOSED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {matchLabels: {app: server}}, policyTypes: [Ingress]}
"""


@pytest.fixture
def manifests(tmp_path):
    """The directory of manifests, with a policy that closes the server."""
    directory = tmp_path / "manifests"
    directory.mkdir(exist_ok=True)
    (directory / "policy.yaml").write_text(CLOSED)
    return directory


@pytest.fixture
def agent(node, tmp_path, manifests):
    """An agent with the tc plugin, not started."""
    process = AgentProcess(node, tmp_path)
    process.configure(["tc"], networks=node.pod_networks[:1])
    return process


@pytest.mark.parametrize("restart", ["killed", "ended", "with its node"])
def test_a_broken_manifest_opens_nothing_when_the_agent_starts(
    agent, node, manifests, tmp_path, restart
):
    """Whether it was killed, or the pins are gone as well; the file is named until it is right."""
    server_labels = {"args": {"cni": {"labels": [{"key": "app", "value": "server"}]}}}
    with Runtime(tmp_path, agent.run_dir) as runtime:
        server, client, other = (runtime.container() for _ in range(3))
        agent.start()
        (address,) = runtime.add(server, config=server_labels).addresses
        (beside,) = runtime.add(other).addresses
        runtime.add(client)
        with server.echo(), other.echo():
            assert not client.pings(address)
            (manifests / "policy.yaml").write_text(CLOSED.replace("podSelector", "podSelektor"))
            agent.kill() if restart == "killed" else agent.end()
            if restart == "with its node":
                shutil.rmtree(agent.run_dir / "attachments")
                node.call(Pins(node.bpffs).remove)
            with agent:
                assert not client.pings(address)
                assert client.pings(beside)
                problems = agent.ask("status")["problems"]
                assert any("podSelektor" in problem for problem in problems)
                assert any("stays in force" in problem for problem in problems)
                (manifests / "policy.yaml").write_text(CLOSED.replace("server", "nobody"))
                agent.wait_for(lambda: client.pings(address), "the new policy")
