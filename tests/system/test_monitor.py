# SPDX-License-Identifier: Apache-2.0
"""What becomes of packets is shown: live and of the past, with names, and no loss goes untold."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from tests.system.watching import STRANGER, Watcher, past, sender

from axoneme.agent.client import follow
from axoneme.cli.main import NO_AGENT
from axoneme.errors import AxonemeError
from axoneme.testing import Node, scaled
from axoneme.testing.agents import AgentProcess
from axoneme.testing.packets import UDP, Ethernet, IPv4

DROPS = {"type": ["drop"]}
#: 802.1Q, VLAN 42.
TAG = bytes.fromhex("8100002a")


@pytest.fixture
def agent(node, tmp_path):
    """An agent with the tc plugin, not started."""
    process = AgentProcess(node, tmp_path)
    process.configure(["tc"])
    return process


@pytest.fixture(scope="module")
def dropping(tmp_path_factory):
    """An agent that has told of three drops."""
    with Node() as node:
        process = AgentProcess(node, tmp_path_factory.mktemp("dropping"))
        process.configure(["tc"])
        with process:
            pod = process.add_pod("one")
            with sender(node, pod) as packets:
                packets.drops(3)
            process.wait_for(lambda: len(past(process.run_dir)) == 3, "the drops")
            yield process


def command(agent, *words, **options):
    """Start the command beside an agent."""
    line = [sys.executable, "-m", "axoneme", "monitor", "--config", str(agent.config), *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, **options)


def finish(process):
    """What a command that ends printed."""
    out, errors = process.communicate(timeout=scaled(30))
    return process.returncode, out, errors


def test_a_drop_is_shown_as_it_happens(agent):
    """To each reader that has chosen it, and to no other."""
    with agent:
        pod = agent.add_pod("one")
        with sender(agent.node, pod) as packets:
            watcher = Watcher(agent.run_dir, **DROPS)
            other = Watcher(agent.run_dir, verdict=["forwarded"])
            packets.drops()
            (flow,) = watcher.wait_for(1)
            assert flow.verdict == "DROPPED"
            assert flow.reason.text == "Invalid source ip"
            assert (flow.source.address, flow.destination_port) == (STRANGER, 53)
            assert (flow.trunk, flow.device) == ("from_pod", pod.ifname)
            assert abs(flow.time / 1e9 - time.time()) < 60
            assert other.flows == []


def test_a_frame_with_a_vlan_tag_is_shown_as_it_is_dropped(agent):
    """Of the pod that sent it, though it has no place in any VLAN."""
    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
        watcher = Watcher(agent.run_dir, reason=["vlan_filtered"])
        frame = bytes(Ethernet(one.mac, one.node_mac) / IPv4(one.ipv4, two.ipv4) / UDP(5000, 53))
        with one.socket(socket.AF_PACKET, socket.SOCK_RAW) as source:
            source.bind(("eth0", 0))
            source.send(frame[:12] + TAG + frame[12:])
        (flow,) = watcher.wait_for(1)
        assert (str(flow.source), flow.device) == ("default/one", one.ifname)
        assert flow.reason.text == "VLAN traffic disallowed by VLAN filter"


def test_flows_between_pods_are_shown_with_their_names(agent):
    """Opened, traced and closed, as conntrack sees them."""
    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
        watcher = Watcher(agent.run_dir, pod=["default/one"], port=[80])
        with two.serve(80):
            assert one.request(two.ipv4, 80) == b"ping"
        assert watcher.wait(lambda w: any("closed" in flow.kinds for flow in w.flows))
        first = watcher.flows[0]
        assert (str(first.source), str(first.destination)) == ("default/one", "default/two")
        assert (first.source.identity, first.destination.identity) == (1001, 1002)
        assert {"egress-verdict", "ingress-verdict", "opened"} <= set(first.kinds)
        assert first.is_reply is False
        assert any(flow.is_reply for flow in watcher.flows)


def test_the_past_names_pods_that_are_gone(agent):
    """As long as their events are kept, and with filters too."""
    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
        with two.serve(80):
            one.request(two.ipv4, 80)
        agent.source.delete("default", "one")
        agent.wait_for(lambda: one.number not in agent.endpoints(), "the pod to be detached")
        found = past(agent.run_dir, pod=["default/one"], since=600)
        assert {str(flow.source) for flow in found if not flow.is_reply} == {"default/one"}
        assert past(agent.run_dir, pod=["default/one"], since=0) == []
        assert len(past(agent.run_dir, last=2)) == 2
        assert past(agent.run_dir, last=2) == past(agent.run_dir)[-2:]


def test_a_default_deny_names_the_policies_that_select_the_pod():
    """And an allowed flow the policy and its rule; each node shows its own part."""
    from tests.system.test_lab_pods import POLICY, SERVER, reaches

    from axoneme.lab import Lab, Port, Settings
    from axoneme.lab.manifests import apply

    lab = Lab(f"w{os.getpid()}")
    lab.up(Settings(nodes=2))
    try:
        lab.add_pod("server", node="node1", labels={"app": "server"}, ports=[Port(8080, "http")])
        lab.add_pod("friend", node="node1", labels={"app": "friend"})
        lab.add_pod("stranger", node="node2")
        here, there = (lab.node(name) for name in ("node1", "node2"))
        manifest = lab.directory / "shop.yaml"
        manifest.write_text(POLICY)
        apply(lab, manifest)
        place, address = lab.place("server"), lab.pod("server").addresses[0]
        with subprocess.Popen(place.command([sys.executable, "-c", SERVER])) as server:
            until = time.monotonic() + scaled(20)
            while reaches(lab.place("stranger"), address) or not reaches(
                lab.place("friend"), address
            ):
                assert time.monotonic() < until, "the policy is not in effect"
            server.kill()
        drop = past(here.run_dir, from_pod=["stranger"], verdict=["dropped"])[-1]
        assert (str(drop.source), drop.source.node) == ("default/stranger", "node2")
        assert (str(drop.destination), drop.destination_port) == ("default/server", 8080)
        assert "k8s:app=server" in drop.destination.labels
        assert drop.reason.name == "policy_denied"
        assert (drop.direction, drop.ingress.allowed) == ("ingress", False)
        assert (drop.ingress.policies, drop.ingress.rule) == (("default/shop",), "")
        allowed = past(here.run_dir, from_pod=["friend"], type=["policy-verdict"])[-1]
        assert allowed.ingress.allowed
        assert (allowed.ingress.policies, allowed.ingress.rule) == (("default/shop",), "ingress[0]")
        left = past(there.run_dir, to_pod=["default/server"], type=["opened"])[-1]
        assert (left.verdict, str(left.destination)) == ("FORWARDED", "default/server")
        assert past(here.run_dir, label=["app=server"], identity=[str(drop.source.identity)])
    finally:
        lab.down()


def test_no_loss_goes_untold(agent):
    """What a reader got, and what it is told to have been lost, is what the programs saw."""
    agent.configure(["tc"], "[agent.map-entries]\nevents = 65536\n")
    many = 200_000
    with agent:
        pod = agent.add_pod("one")
        with sender(agent.node, pod) as packets:
            watcher = Watcher(agent.run_dir, **DROPS)
            for _ in range(10):
                packets.drops(many // 10)
            assert watcher.wait(lambda w: len(w.flows) + _lost(w) >= many, 30)
        time.sleep(0.5)
        assert len(watcher.flows) + _lost(watcher) == many
        events = agent.ask("status")["events"]
        assert events["seen"] == events["sent"] + events["lost"] + events["limited"]
        assert events["lost"] == _lost(watcher) > 0, "the ring buffer holds 481"
        assert {lost.type for lost in watcher.lost} == {"drop"}


def _lost(watcher):
    return sum(lost.count for lost in list(watcher.lost))


def test_a_reader_that_does_not_read_is_told_what_it_missed(agent):
    """Exactly; and it does not hold up the agent or the other readers."""
    many = 600_000
    with agent:
        pod = agent.add_pod("one")
        slow = follow(agent.run_dir, "monitor", **DROPS)
        next(slow)
        watcher = Watcher(agent.run_dir, **DROPS)
        with sender(agent.node, pod) as packets:
            for _ in range(60):
                packets.drops(many // 60)
                time.sleep(0.02)
            assert watcher.wait(lambda w: len(w.flows) + _lost(w) >= many, 60)
        got, lost, sources = 0, 0, set()
        while got + lost < many:
            header, rows = next(slow)
            got += len(rows) // 128
            lost += sum(one["count"] for one in header["lost"])
            sources |= {one["source"] for one in header["lost"]}
        assert got + lost == many
        assert "monitor" in sources


def test_settings_of_events_are_followed_without_a_restart(agent):
    """Kinds, rates and how many are kept; nobody is told to start the agent again."""
    with agent:
        pod = agent.add_pod("one")
        with sender(agent.node, pod) as packets:
            watcher = Watcher(agent.run_dir)
            packets.drops()
            watcher.wait_for(1)
            keys = "bpf-events-default-rate-limit = 1\nbpf-events-default-burst-limit = 10\n"
            agent.configure(["tc"], f"{keys}monitor-buffer = 5\n")
            assert watcher.wait(lambda _: _after(packets, 100, watcher), 10)
            limited = [lost for lost in watcher.lost if lost.source == "rate-limit"]
            assert limited
            assert {lost.type for lost in limited} == {"drop"}
            assert len(past(agent.run_dir)) == 5
            agent.configure(["tc"], "bpf-events-drop-enabled = false\n")
            assert watcher.wait(lambda w: _silent(packets, w), 10)
        assert agent.ask("status")["problems"] == []


def _after(packets, count, watcher):
    packets.drops(count)
    time.sleep(0.3)
    return watcher.lost


def _silent(packets, watcher):
    time.sleep(0.3)
    before = len(watcher.flows), _lost(watcher)
    packets.drops(100)
    time.sleep(0.5)
    return (len(watcher.flows), _lost(watcher)) == before


def test_what_happens_while_no_agent_runs_is_shown_by_the_next(agent):
    """As far as the ring buffer holds it."""
    with agent:
        pod = agent.add_pod("one")
        with sender(agent.node, pod) as packets:
            agent.end()
            packets.drops(3, port=9999)
        agent.start()
        agent.wait_for(lambda: len(past(agent.run_dir, port=[9999])) == 3, "the drops")


def test_the_command_writes_a_json_object_a_line_and_ends_with_its_reader(agent):
    """Head, jq or a terminal that closes end it without complaint."""
    with agent:
        pod = agent.add_pod("one")
        with sender(agent.node, pod) as packets, command(agent, "-o", "json") as process:
            lines = iter(process.stdout.readline, "")
            while process.poll() is None and not agent.ask("status")["events"]["readers"]:
                time.sleep(0.05)
            packets.drops(2)
            first = json.loads(next(lines))
            assert (first["type"], first["verdict"], first["node"] != "") == (
                "drop",
                "DROPPED",
                True,
            )
            process.stdout.close()
            agent.wait_for(lambda: packets.drops() or process.poll() is not None, "its end")
            assert process.returncode == 0
            assert process.stderr.read() == ""
        agent.wait_for(
            lambda: not agent.ask("status")["events"]["readers"], "the agent to forget it"
        )


def test_the_command_shows_the_past_and_ends(agent):
    """A line a flow; what is asked wrongly is a sentence with the nearest word."""
    with agent:
        pod = agent.add_pod("one")
        with sender(agent.node, pod) as packets:
            packets.drops(3)
            agent.wait_for(lambda: len(past(agent.run_dir)) == 3, "the drops")
        code, out, errors = finish(command(agent, "--no-follow", "--type", "drop,trace"))
        assert (code, errors) == (0, "")
        assert len(out.splitlines()) == 3
        assert "drop DROPPED (Invalid source ip; UDP)" in out
        code, out, errors = finish(command(agent, "--no-follow", "--since", "5m", "-o", "table"))
        assert out.splitlines()[0].split()[:2] == ["TIME", "SOURCE"]
        code, out, errors = finish(command(agent, "--pod", "default/oen"))
        assert (code, out) == (1, "")
        assert "no pod's name begins with default/oen; did you mean default/one?" in errors
        code, out, errors = finish(command(agent, "--since", "yesterday"))
        assert (code, out) == (2, "")
        assert "'yesterday' is no time: write one such as 30s, 5m or 1h30m" in errors


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("--port", "53,80", "--protocol", "TCP, udp"), 3),
        (("--to-port", "53", "--from-namespace", "default"), 0),
        (("--to-port", "53", "--from-ip", STRANGER), 3),
        (("--from-port", "53"), 0),
        (("--reason", "Invalid source ip"), 3),
        (("--verdict", "Dropped", "--last", "2"), 2),
    ],
)
def test_the_command_takes_words_as_people_type_them(dropping, words, count):
    """Several at once, in small and large letters, for one side or for both."""
    code, out, errors = finish(command(dropping, "--no-follow", *words))
    assert (code, errors) == (0, "")
    assert len(out.splitlines()) == count


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--verdict", "drop"), "did you mean dropped?"),
        (("--pod", ""), "--pod is empty: leave it out"),
        (("--from-pod", ","), "--from-pod is empty"),
        (("--port", "http"), "--port is a number, not 'http'"),
        (("--to-port", "53/udp"), "write --to-port 53 --protocol udp"),
        (("--not", "--verdict", "dropped"), "have jq choose"),
    ],
)
def test_the_command_says_what_to_write_instead(dropping, words, says):
    """And shows nothing, since it would be the wrong things."""
    code, out, errors = finish(command(dropping, "--no-follow", *words))
    assert (code > 0, out) == (True, "")
    assert says in errors


def test_the_command_ends_by_an_interrupt(agent):
    """As a shell expects it, without a word."""
    with agent, command(agent) as process:
        while process.poll() is None and not agent.ask("status")["events"]["readers"]:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert finish(process) == (130, "", "")


def test_the_command_says_when_the_agent_has_ended(agent):
    """And that there is none to begin with."""
    with agent:
        with command(agent) as process:
            while process.poll() is None and not agent.ask("status")["events"]["readers"]:
                time.sleep(0.05)
            agent.end()
            code, _, errors = finish(process)
        assert code == NO_AGENT
        assert "the agent has ended" in errors
    code, _, errors = finish(command(agent))
    assert code == NO_AGENT
    assert "no agent answers" in errors


def test_a_choice_that_is_none_is_refused(agent):
    """By the agent, whoever asks."""
    with agent, pytest.raises(AxonemeError, match="not chosen by color"):
        next(follow(agent.run_dir, "monitor", color=["red"]))
