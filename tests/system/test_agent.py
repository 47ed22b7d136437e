# SPDX-License-Identifier: Apache-2.0
"""The agent as a process: what it reads, what it survives, what it says."""

from __future__ import annotations

import json
import stat
import subprocess
import sys

import pytest

from axoneme.testing.agents import AgentProcess


@pytest.fixture
def agent(node, tmp_path):
    """An agent with the tc plugin, not started."""
    process = AgentProcess(node, tmp_path)
    process.configure(["tc"])
    return process


def command(agent, *words):
    """Run the command beside the agent."""
    line = [sys.executable, "-m", "axoneme", *words, "--config", str(agent.config)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


_STAGES = ("recall", "admit", "track", "policy", "forward", "commit", "remember")
_LANES = {stage: ["tc"] for stage in _STAGES}


def lanes(agent):
    """Which plugins are in from_pod's stages."""
    (row,) = (r for r in agent.ask("status")["trunks"] if r["name"] == "from_pod")
    return {stage: plugins for stage, plugins in row["stages"].items() if plugins}


def test_pods_of_the_state_directory_talk(agent):
    """Pods that were there before the agent, and pods that come later, reach each other."""
    before = agent.add_pod("before")
    with agent:
        later = agent.add_pod("later")
        later.serve(80)
        for address in later.addresses:
            assert before.request(address, 80) == b"ping"
        assert agent.ask("status")["problems"] == []


def test_a_pod_that_leaves_the_state_directory_is_detached(agent):
    """Its addresses and programs are gone, the other pod's are not."""
    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
        agent.source.delete("default", "one")
        agent.wait_for(lambda: one.number not in agent.endpoints(), "the pod to be detached")
        assert agent.endpoints() == {two.number}


def test_a_changed_configuration_is_swapped_in(agent):
    """An object that is switched off leaves its lane, without a restart."""
    with agent:
        assert lanes(agent) == _LANES
        agent.configure(["tc"], "[tc]\nforward = false\n")
        without = {stage: plugins for stage, plugins in _LANES.items() if stage != "forward"}
        agent.wait_for(lambda: lanes(agent) == without, "the swap")


def test_a_wrong_configuration_leaves_the_old_one_at_work(agent):
    """The problem names key, file, line and the nearest key; nothing else changes."""
    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
        two.serve(80)
        agent.configure(["tc"], "[tc]\nforwrd = false\n")
        agent.wait_for(lambda: agent.ask("status")["problems"], "the problem")
        (problem,) = agent.ask("status")["problems"]
        assert f"{agent.config}:8: tc.forwrd" in problem
        assert "did you mean 'forward'?" in problem
        assert lanes(agent) == _LANES
        assert one.reaches(two.ipv4, 80)


def test_traffic_goes_on_when_the_agent_is_killed_and_comes_back(agent):
    """What is attached needs no agent; the next one finds it, and says that nothing drifted."""
    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
        two.serve(80)
        connection = one.connect(two.ipv4, 80)
        agent.kill()
        connection.sendall(b"still here")
        assert connection.recv(64) == b"still here"
        agent.start()
        connection.sendall(b"and again")
        assert connection.recv(64) == b"and again"
        connection.close()
        status = agent.ask("status")
        assert status["drift"] == []
        assert {row["name"] for row in status["endpoints"]} == {"default/one", "default/two"}


def test_an_endpoint_that_left_while_no_agent_ran_is_cleaned_up(agent, node):
    """The next agent removes the rows and links that nobody accounts for."""
    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
    agent.source.delete("default", "one")
    with agent:
        assert agent.endpoints() == {two.number}
    pins = node.call(lambda: sorted(p.name for p in (node.bpffs / "axoneme/links").iterdir()))
    assert not any(name.endswith(f"-{one.ifindex}") for name in pins)


def test_a_broken_endpoint_file_is_named_and_the_others_are_attached(agent):
    """The file and the field are in the problem."""
    good = agent.add_pod("good")
    bad = agent.source.endpoints / "default.bad.json"
    bad.write_text('{"metadata": {"name": "bad"}, "status": {"id": "x"}}')
    with agent:
        assert agent.endpoints() == {good.number}
        (problem,) = agent.ask("status")["problems"]
        assert str(bad) in problem
        assert "$.status" in problem


def test_an_endpoint_without_a_device_is_named(agent):
    """A file that comes before its device, or stays after it, stops nobody."""
    pod = agent.add_pod("gone")
    pod.close()
    with agent:
        (problem,) = agent.ask("status")["problems"]
        assert "default/gone" in problem
        assert pod.ifname in problem


def test_status_says_how_other_nodes_are_reached(agent):
    """The mode, the nodes, and every byte that is taken from a packet to them."""
    with agent:
        network = agent.ask("status")["network"]
        assert (network["mode"], network["mtu"]["route"]) == ("native", 1500)
    agent.configure(["tc"], 'routing-mode = "tunnel"\n')
    with agent:
        network = agent.ask("status")["network"]
        assert (network["mode"], network["mtu"]["route"]) == ("tunnel", 1450)
        shown = " ".join(command(agent, "status").stdout.split())
        assert "network tunnel, no other node" in shown
        assert "-8 VXLAN header (vxlan over IPv4)" in shown


def test_what_is_left_of_a_broken_attachment_is_named(agent):
    """Its pod's addresses are not known: who looks must find out which file it is."""
    path = agent.run_dir / "attachments" / "c0ffee@eth0.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"container_id": "c0ffee"')
    with agent:
        (problem,) = agent.ask("status")["problems"]
        assert str(path) in problem


def test_the_socket_is_for_root_only(agent):
    """Mode 0600, in a directory of mode 0700."""
    with agent:
        assert stat.S_IMODE((agent.run_dir / "agent.sock").stat().st_mode) == 0o600
        assert stat.S_IMODE(agent.run_dir.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [(b"nonsense", "one JSON object"), (b'{"method": "statu"}', "status")],
)
def test_a_bad_request_is_answered_with_what_to_write(agent, request_text, answer):
    """The agent goes on."""
    import socket

    with agent, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(agent.run_dir / "agent.sock"))
        connection.sendall(request_text + b"\n")
        assert answer in json.loads(connection.recv(4096))["error"]
        assert agent.ask("status")["pid"]


def test_an_unknown_plugin_is_rejected_with_the_nearest_name(agent):
    """The rest runs, and `axoneme plugins` shows the reason."""
    agent.configure(["tc", "tcc"])
    with agent:
        rows = {
            row["name"]: row for row in json.loads(command(agent, "plugins", "-o", "json").stdout)
        }
        assert rows["tc"]["status"] == "on"
        assert rows["tcc"]["status"] == "rejected"
        assert "'tc'" in rows["tcc"]["reason"]
        assert "rejected" in command(agent, "plugins").stdout


def test_metrics_are_prometheus_text(agent):
    """What the trunks counted is in the exposition."""
    from prometheus_client.parser import text_string_to_metric_families

    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
        two.serve(80)
        assert one.reaches(two.ipv4, 80)
        text = command(agent, "metrics").stdout
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = {s.labels["verdict"]: s.value for s in families["axoneme_verdicts"].samples}
    assert samples["redirect"] > 0
    assert families["cilium_endpoint"].samples[0].value == 2


def test_without_an_agent_the_command_says_so(agent):
    """And exits with 3, without a traceback."""
    result = command(agent, "status")
    assert result.returncode == 3
    assert "no agent answers" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_configuration_that_is_wrong_at_the_start_stops_the_agent(agent, node):
    """Every problem is listed."""
    agent.configure(["tc"], "colour = 1\n[tc]\nadmit = 3\n")
    line = [sys.executable, "-m", "axoneme", "agent", "--config", str(agent.config)]
    process = node.popen(line, stderr=subprocess.PIPE, text=True)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "agent.colour" in errors
    assert "tc.admit" in errors
    assert "Traceback" not in errors


def test_a_key_that_needs_a_restart_says_so(agent):
    """A changed [agent] key is no silent change."""
    with agent:
        agent.configure(["tc"])
        text = agent.config.read_text().replace("[agent]\n", "[agent]\nmap-entries.endpoints = 9\n")
        agent.config.write_text(text)
        agent.wait_for(lambda: agent.ask("status")["problems"], "the note")
        (problem,) = agent.ask("status")["problems"]
        assert "agent.map-entries" in problem
        assert "started again" in problem


def test_a_clsact_filter_of_an_agent_that_is_gone_is_removed(node):
    """On the devices that are there still; a stranger's filter of the same device stays."""
    from axoneme.agent.devices import remove_stale_filters
    from axoneme.datapath.attachments import ClsactAttachment
    from axoneme.testing.pipelines import Pipeline

    with Pipeline(node, ["tc"]) as pipeline:
        pod = node.add_pod()
        program = pipeline.datapath.assembly.programs["from_pod"].fd
        ours = ClsactAttachment("from_pod", ifindex=pod.ifindex, device=pod.ifname)
        node.call(ours.attach, program)
        assert node.call(remove_stale_filters, {pod.ifindex}) == []
        (removed,) = node.call(remove_stale_filters, set())
        assert removed.startswith("from_pod")
        assert pod.ifname in removed
        assert node.netlink.filters(node.netlink.link(pod.ifname), "ingress") == ()
