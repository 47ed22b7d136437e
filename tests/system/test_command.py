# SPDX-License-Identifier: Apache-2.0
"""The command beside a running agent."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from ipaddress import ip_network

import pytest

from axoneme.testing.agents import AgentProcess


@pytest.fixture
def agent(node, tmp_path):
    """An agent with the tc plugin, not started."""
    process = AgentProcess(node, tmp_path)
    process.configure(["tc"])
    return process


def command(agent, *words, fails=0):
    """Run the command, which exits with a code; what it prints, or what it complains of."""
    line = [sys.executable, "-m", "axoneme", *words, "--config", str(agent.config)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == fails, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if fails else done.stdout


def stages(agent):
    """The stages of from_pod that are filled."""
    (row,) = (r for r in agent.ask("status")["trunks"] if r["name"] == "from_pod")
    return {stage for stage, plugins in row["stages"].items() if plugins}


def test_a_key_that_is_set_is_in_effect_when_the_command_returns(agent):
    """The programs are swapped; taken out again, the key has its default."""
    with agent:
        assert "forward" in stages(agent)
        assert "in effect: swapped" in command(agent, "config", "set", "tc.forward", "false")
        assert "forward" not in stages(agent)
        assert command(agent, "config", "get", "forward") == "false\n"
        command(agent, "config", "delete", "tc.forward")
        assert "forward" in stages(agent)
        assert agent.ask("status")["problems"] == []


def swaps(agent):
    """How many swaps there were."""
    text = agent.ask("metrics")
    lines = [line for line in text.splitlines() if line.startswith("axoneme_swaps_total{")]
    return sum(float(line.split()[-1]) for line in lines if "success" in line)


def test_a_change_is_one_swap_whoever_has_it_read(agent):
    """By command, or by the file alone: the agent watches it, and is asked too."""
    with agent:
        for number, value in enumerate(("false", "true", "false"), start=1):
            assert "in effect: swapped" in command(agent, "config", "set", "tc.forward", value)
            assert swaps(agent) == number
        # The watcher tells in order: when it has come to this, it has told of those before.
        agent.configure(["tc"], "[tc]\nforwrd = false\n")
        agent.wait_for(lambda: agent.ask("status")["problems"], "the refusal")
        assert swaps(agent) == 3
        agent.configure(["tc"], "[tc]\nforward = true\n")
        agent.wait_for(lambda: swaps(agent) == 4, "the swap")
        assert "swapped" in agent.ask("reload", again=False)
        assert swaps(agent) == 4
        assert "swapped" in command(agent, "reload")
        assert swaps(agent) == 5


def test_a_key_that_is_read_at_the_start_says_so(agent):
    """By another spelling too, which the file then has."""
    with agent:
        told = command(agent, "config", "set", "bpf.mapDynamicSizeRatio", "0.001")
        assert "agent.bpf-map-dynamic-size-ratio is 0.001, and was 0.0" in told
        assert "when the agent is started again" in told
    (row,) = json.loads(command(agent, "config", "view", "bpf.mapDynamicSizeRatio", "-o", "json"))
    assert (row["value"], row["effect"]) == (0.001, "start")


def test_a_wrong_value_reaches_neither_file_nor_agent(agent):
    """The sentence has file, line, key and what would be right."""
    with agent:
        before = agent.config.read_text()
        told = command(agent, "config", "set", "tc.monitor-aggregation", "maximal", fails=1)
        assert f"{agent.config}:" in told
        assert "did you mean 'maximum'?" in told
        assert agent.config.read_text() == before
        assert agent.ask("status")["problems"] == []


def test_a_value_that_the_kernel_refuses_is_taken_back(agent):
    """No map has so many entries: the file is as it was, and what runs goes on."""
    agent.configure(["tc"], "[tc]\ntrack = false\nbpf-fragments-map-max = 4294967295\n")
    with agent:
        before = agent.config.read_text(), stages(agent)
        told = command(agent, "config", "set", "tc.track", "true", fails=1)
        assert "tc.track stays false: " in told
        assert "tc_fragments" in told
        assert (agent.config.read_text(), stages(agent)) == before


def test_without_an_agent_the_file_is_changed_all_the_same(agent):
    """For the next one to read."""
    assert "no agent is running" in command(agent, "config", "set", "tc.forward", "false")
    with agent:
        assert "forward" not in stages(agent)


def test_a_refused_reload_is_an_error(agent):
    """With the exit code 1, for scripts."""
    with agent:
        assert "swapped" in command(agent, "reload")
        agent.configure(["tc"], "[tc]\nforwrd = false\n")
        assert "did you mean 'forward'?" in command(agent, "reload", fails=1)


def counted(agent, name):
    """How many rows of a map the agent has counted last."""
    return agent.ask("status")["maps"][name]["used"]


def brief(agent, fails=0, *words):
    """What is wrong, in one line."""
    line = [sys.executable, "-m", "axoneme", "status", "--brief", *words]
    done = subprocess.run(
        [*line, "--config", str(agent.config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == fails, done.stdout + done.stderr
    return " ".join(done.stdout.split())


def test_status_says_that_all_is_well(agent):
    """With everything that an operator asks first: the exit code is 0."""
    agent.configure(["tc"], networks=[ip_network("10.77.0.0/24")], name="attic")
    with agent:
        pod = agent.add_pod("web")
        agent.wait_for(lambda: counted(agent, "endpoints") == 2, "the maps to be counted")
        status = json.loads(command(agent, "status", "-o", "json"))
        assert (status["ok"], status["findings"], status["errors"]) == (True, [], [])
        assert (status["node"]["name"], status["node"]["cluster"]) == ("attic", "default")
        (pool,) = status["node"]["pools"]
        assert (pool["network"], pool["used"], pool["size"]) == ("10.77.0.0/24", 0, 254)
        places = {row["place"]: row["drift"] for row in status["attachments"]}
        assert places == {
            f"from_pod on {pod.ifname} (tcx ingress)": "",
            f"to_pod on {pod.ifname} (tcx egress)": "",
        }
        endpoints = status["maps"]["endpoints"]
        assert (endpoints["used"], endpoints["max"]) == (2, 65536)
        assert endpoints["pressure"] == pytest.approx(2 / 65536)
        assert 0 <= endpoints["seconds"] < 60
        runtime = status["maps"]["runtime"]
        assert (runtime["max"], runtime["pressure"], runtime["seconds"]) == (1, None, None)
        assert brief(agent) == "all is well"
        shown = command(agent, "status")
        assert "node attic (1) of default" in shown
        assert any(line.split()[:3] == ["endpoints", "2", "65536"] for line in shown.splitlines())
        assert "all is well" in shown


def test_what_is_wrong_comes_with_what_to_do(agent):
    """A plugin that cannot be used, a pool and a map that are almost full: exit code 1."""
    agent.configure(
        ["tc", "tcc"],
        "map-entries.endpoints = 2\n",
        networks=[ip_network("10.77.0.0/30")],
    )
    with agent:
        agent.add_pod("web")
        agent.wait_for(lambda: counted(agent, "endpoints") == 2, "the maps to be counted")
        told = brief(agent, fails=1)
    assert "plugin tcc is not in effect" in told
    assert "is not installed: did you mean 'tc'?" in told
    assert "do mend what it says, then: axoneme retry tcc" in told
    assert "map endpoints 2 of 2 entries are in use" in told
    assert "raise agent.map-entries.endpoints" in told


def test_a_map_of_another_size_than_its_key_says_is_named(agent):
    """An earlier agent made and pinned it: the key has no effect, and nobody would know."""
    agent.configure(["tc"], "map-entries.endpoints = 128\n")
    with agent:
        assert brief(agent) == "all is well"
    agent.configure(["tc"], "map-entries.endpoints = 256\n")
    with agent:
        told = brief(agent, fails=1)
    assert "map endpoints it has 128 entries and not the 256 of the configuration" in told
    assert "remove the map's pin" in told


def test_a_program_that_somebody_removed_is_a_finding_until_it_is_repaired(agent, node):
    """The place is named, and --wait waits; for a minute more the repair is told as lately."""
    with agent:
        pod = agent.add_pod("web")
        links = node.bpffs / "axoneme" / "links"
        (pin,) = node.call(lambda: [p for p in links.iterdir() if "from_pod" in p.name])
        node.call(detach, pin)
        told = brief(agent, fails=1)
        assert f"datapath from_pod on {pod.ifname} (tcx ingress)" in told
        assert "repaired within 10 s" in told
        brief(agent, 1, "--wait", "--wait-duration", "500ms")
        agent.wait_for(lambda: subjects(agent) == {"lately"}, "the repair")


def subjects(agent):
    """What the agent's findings are about."""
    return {finding["subject"] for finding in agent.ask("status")["findings"]}


def detach(pin):
    """Detach a link as another program would."""
    import os

    from axoneme._bpf import lib
    from axoneme.datapath.pins import open_pin

    fd = open_pin(pin)
    try:
        assert lib.bpf_link_detach(fd) == 0
    finally:
        os.close(fd)


def test_a_refused_configuration_is_a_finding_until_it_is_right(agent):
    """However long it takes; what an agent reads only at its start is one until the next start."""
    with agent:
        agent.configure(["tc"], "[tc]\nforwrd = false\n")
        agent.wait_for(lambda: not agent.ask("status")["ok"], "the refusal")
        (finding,) = agent.ask("status")["findings"]
        assert finding["subject"] == "configuration"
        assert "did you mean 'forward'?" in finding["problem"]
        agent.configure(["tc"], "cluster-name = 'attic'\n")
        agent.wait_for(
            lambda: [f for f in agent.ask("status")["findings"] if "agent.cluster-name" in str(f)],
            "the other key",
        )
        agent.configure(["tc"])
        agent.wait_for(lambda: subjects(agent) <= {"lately"}, "the file to be right")
        assert [error for error in agent.ask("status")["errors"] if "forwrd" in error["text"]]


def test_waiting_for_an_agent_ends_when_it_comes_or_when_the_time_is_over(agent):
    """An installer's last step."""
    assert brief(agent, 3, "--wait", "--wait-duration", "500ms") == ""
    found = []
    waiting = threading.Thread(target=lambda: found.append(brief(agent, 0, "--wait")))
    waiting.start()
    with agent:
        waiting.join(60)
    assert found == ["all is well"]


def test_costs_are_those_of_packets_and_of_each_plugin(agent):
    """The kernel counts while the command asks it to; the probes leave no flow behind."""
    agent.configure(["tc", "portguard"])
    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
        two.serve(80)
        done = threading.Event()

        def talk():
            while not done.wait(0.02):
                one.request(two.ipv4, 80)

        talking = threading.Thread(target=talk)
        talking.start()
        try:
            words = ("plugins", "--cost", "--cost-duration", "1s", "-o", "json")
            costs = json.loads(command(agent, *words))
        finally:
            done.set()
            talking.join()
        quiet = agent.ask("runs")
        one.request(two.ipv4, 80)
        assert agent.ask("runs") == quiet
    programs = {row["name"]: row for row in costs["programs"]}
    assert programs["from_pod"]["runs"] > 10
    assert 20 < programs["from_pod"]["each"] < 100_000
    assert (programs["from_overlay"]["runs"], programs["from_overlay"]["each"]) == (0, None)
    lanes = {(r["plugin"], r["trunk"], r["stage"]): r["nanoseconds"] for r in costs["lanes"]}
    assert {("tc", "from_pod", "admit"), ("tc", "to_pod", "deliver")} <= lanes.keys()
    assert ("portguard", "from_pod", "policy") in lanes
    assert all(0 <= nanoseconds < 100_000 for nanoseconds in lanes.values())


def test_costs_of_a_node_without_pods_are_those_of_programs(agent):
    """There is no probe, and that is said."""
    with agent:
        assert "no pod here" in command(agent, "plugins", "--cost", "--cost-duration", "0")
