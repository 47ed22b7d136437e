# SPDX-License-Identifier: Apache-2.0
"""The CNI of the real agent: pods that come and go while it lives, dies and comes back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network

import pytest
from tests.system.runtimes import Runtime

from axoneme.datapath import Pins
from axoneme.testing.agents import AgentProcess


@pytest.fixture
def agent(node, tmp_path):
    """An agent with the tc plugin, not started."""
    process = AgentProcess(node, tmp_path)
    own = ", ".join(f'"{address}"' for address in node.addresses)
    process.configure(["tc"], f"node-addresses = [{own}]\n", networks=node.pod_networks)
    return process


@pytest.fixture
def runtime(agent, tmp_path):
    """A runtime with the executable of this agent."""
    with Runtime(tmp_path, agent.run_dir) as made:
        yield made


def ours(node):
    """The node's devices of the CNI."""
    return {link.name for link in node.netlink.links() if link.name.startswith("axn")}


def test_a_pod_has_programs_when_its_add_returns(agent, runtime, node):
    """And is shown by status, until it leaves."""
    one, two = runtime.container(), runtime.container()
    words = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"
    with agent:
        runtime.add(one, args=words)
        answer = runtime.add(two)
        with two.echo():
            assert all(one.pings(address) for address in answer.addresses)
        rows = {row["name"]: row for row in agent.ask("status")["endpoints"]}
        assert rows["shop/web-0"]["device"] in ours(node)
        assert runtime.run("CHECK", one, args=words).code == 0
        for container in (one, two):
            assert runtime.run("DEL", container).code == 0
        assert agent.ask("status")["endpoints"] == []
        assert ours(node) == set()


def test_a_running_flow_does_not_notice_that_the_agent_is_killed(agent, runtime):
    """And a pod that left meanwhile is cleaned up by the next agent."""
    one, two, gone = (runtime.container() for _ in range(3))
    with agent:
        runtime.add(one)
        answer = runtime.add(two)
        runtime.add(gone)
        with two.echo(), one.connected(answer.addresses[0]) as flow:
            agent.kill()
            flow.send(b"still")
            assert flow.recv(64) == b"still"
            assert runtime.run("DEL", gone).code == 0
            agent.start()
            flow.send(b"again")
            assert flow.recv(64) == b"again"
        assert len(agent.ask("status")["endpoints"]) == 2
        assert gone.links() == set()
        assert runtime.add(two).document == answer.document


def test_an_agent_that_is_killed_among_adds_leaves_nothing_half(agent, runtime, node):
    """Whatever the runtime was told, a DEL of all leaves nothing, and an ADD works."""
    containers = [runtime.container() for _ in range(10)]
    with agent:
        with ThreadPoolExecutor(5) as pool:
            jobs = [pool.submit(runtime.run, "ADD", one) for one in containers]
            jobs[2].result()
            os.kill(agent.process.pid, signal.SIGKILL)
            agent.process.wait()
            codes = [job.result().code for job in jobs]
        agent.start()
        made = [one for one, code in zip(containers, codes, strict=True) if code == 0]
        for one in made:
            assert runtime.run("CHECK", one).code == 0
        assert len(agent.ask("status")["endpoints"]) >= len(made) >= 1
        for one in containers:
            assert runtime.run("DEL", one).code == 0
        assert ours(node) == set()
        assert agent.ask("status")["endpoints"] == []
        runtime.add(containers[0])


def test_a_del_that_was_kept_while_the_agent_runs_is_done(agent, runtime):
    """Its executable died before it asked again: the agent looks into the queue by itself."""
    one, two = runtime.container(), runtime.container()
    with agent:
        runtime.add(one)
        runtime.add(two)
    assert runtime.run("DEL", one).code == 0
    (path,) = (agent.run_dir / "cni-queue").iterdir()
    request = path.read_bytes()
    path.unlink()
    with agent:
        path.write_bytes(request)
        agent.wait_for(lambda: not path.exists(), "the DEL to be done")
        assert one.links() == set()
        assert two.links() == {"eth0"}
        assert agent.ask("status")["problems"] == []


def restart_node(agent, node):
    """Take away what no node has after a restart; the state directory is on a disk."""
    for link in node.netlink.links():
        if link.name.startswith("axn"):
            node.netlink.delete_link(link)
    shutil.rmtree(agent.run_dir)
    node.call(Pins(node.bpffs).remove)


def test_pods_of_before_a_restart_of_the_node_are_gone(agent, runtime, node):
    """Their endpoints and addresses too; endpoints that others wrote stay, and are named."""
    one_address = [ip_network("10.1.0.7/32")]
    agent.configure(
        ["tc"], 'address-quarantine = "0s"\naddress-expiration = "0s"\n', networks=one_address
    )
    before, after = runtime.container(), runtime.container()
    with agent:
        runtime.add(before)
        assert runtime.run("ADD", after).document["code"] == 100
    others = node.add_pod("others")
    agent.publish(others)
    others.close()
    restart_node(agent, node)
    with agent:
        assert [path.name for path in agent.source.endpoints.glob("*.json")] == [
            "default.others.json"
        ]
        assert agent.endpoints() == set()
        problems = "\n".join(agent.ask("status")["problems"])
        assert "endpoint default/others: there is no device" in problems
        runtime.add(after)


def test_a_del_after_the_attachments_were_lost_leaves_nothing(agent, runtime, node):
    """Somebody emptied the run directory while pods ran: they run on, and can end."""
    one = runtime.container()
    with agent:
        runtime.add(one)
    shutil.rmtree(agent.run_dir / "attachments")
    with agent:
        assert len(agent.endpoints()) == 1
        assert runtime.run("DEL", one).code == 0
        assert ours(node) == set()
        agent.wait_for(lambda: not list(agent.source.endpoints.glob("*.json")), "its endpoint")
        assert agent.endpoints() == set()


def test_a_node_without_a_pool_says_so(agent, runtime):
    """STATUS and ADD name what is missing; nothing is left."""
    agent.configure(["tc"])
    one = runtime.container()
    with agent:
        assert runtime.run("STATUS").document["code"] == 50
        answer = runtime.run("ADD", one)
        assert answer.document["code"] == 100
        assert "add ipam to agent.plugins" in answer.document["msg"]
    assert one.links() == set()


def test_what_is_installed_by_the_command_finds_the_agent(agent, tmp_path):
    """By the run directory of the configuration."""
    command = ["axoneme", "cni", "install", "--config", str(agent.config)]
    options = ["--bin-dir", str(tmp_path / "b"), "--conf-dir", str(tmp_path / "c")]
    done = subprocess.run(
        [sys.executable, "-m", *command, *options], capture_output=True, text=True, check=True
    )
    program, _ = done.stdout.split()
    config = json.dumps({"cniVersion": "1.1.0", "name": "axoneme", "type": "axoneme-cni"})
    with agent:
        ready = subprocess.run(
            [program], input=config, env={"CNI_COMMAND": "STATUS"}, text=True, check=False
        )
        assert ready.returncode == 0
