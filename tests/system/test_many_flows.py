# SPDX-License-Identifier: Apache-2.0
"""A list of connections, of which there are many: none is kept, and a pod's are found at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from axoneme.datapath import PinnedMaps
from axoneme.datapath.clock import now, units
from axoneme.model import pack_address
from axoneme.testing import scaled
from axoneme.testing.agents import AgentProcess

FLOWS, OWN = 60_000, 60
#: Runs a command, and prints how much memory it took, in KiB, behind how many lines.
MEASURED = """
import resource, subprocess, sys
with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as process:
    lines = sum(1 for line in process.stdout)
assert process.returncode == 0
print(lines, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def fill(bpffs, address):
    """Put flows into the map, some of them of one address."""
    own, others = pack_address(address), bytes(10) + b"\xff\xff\x0a\x80"
    zero = {"granted[0]": 0, "granted[1]": 0, "reported[0]": 0, "reported[1]": 0}
    present = now()
    value = {"word": present + units(600) << 32, "src_identity": 2, "created": present} | zero
    with PinnedMaps(bpffs) as maps:
        maps.table("conntrack").write(
            (
                {
                    "saddr": own if number < OWN else others + number.to_bytes(2, "big"),
                    "daddr": bytes(10) + b"\xff\xff\x0b\x00" + (number % 99).to_bytes(2, "big"),
                    "sport": number,
                    "dport": 80,
                    "proto": 6,
                },
                value,
            )
            for number in range(FLOWS)
        )


@pytest.fixture
def agent(node, tmp_path):
    """An agent that is running."""
    process = AgentProcess(node, tmp_path)
    process.configure(["tc"])
    with process:
        yield process


def measured(agent, *words):
    """How many lines a list has, and the KiB that it took."""
    command = [sys.executable, "-m", "axoneme", "bpf", "ct", "list", *words]
    line = [sys.executable, "-c", MEASURED, *command, "--config", str(agent.config)]
    with agent.node.popen(line, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(timeout=scaled(60))
    lines, kib = out.split()
    return int(lines), int(kib)


def test_memory_does_not_grow_with_the_flows(agent):
    """Nor with the form in which they are printed; those of a pod are found among them."""
    pod = agent.add_pod("web")
    lines, empty = measured(agent)
    assert lines == 1
    agent.node.call(fill, agent.node.bpffs, pod.ipv4)
    for words in ((), ("-o", "json")):
        lines, kib = measured(agent, *words)
        assert lines >= FLOWS
        assert kib - empty < 8 * 1024
    assert measured(agent, "--pod", "web")[0] == OWN + 1
