# SPDX-License-Identifier: Apache-2.0
"""The command beside a running agent."""

from __future__ import annotations

import json
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
