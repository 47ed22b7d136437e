# SPDX-License-Identifier: Apache-2.0
"""An agent with an error of its own: it says so, and goes on."""

from __future__ import annotations

import sys

from axoneme.testing.agents import AgentProcess

#: An agent in which a method raises, the first times that it is called once the file is there.
FAULTY = """
import sys
from pathlib import Path
from axoneme.cli import main
from {module} import {kind}

method, flag, times = {kind}.{method}, Path({flag!r}), iter(range({times}))

def faulty(*arguments, **options):
    if flag.exists() and next(times, None) is not None:
        raise LookupError("nobody foresaw this")
    return method(*arguments, **options)

{kind}.{method} = faulty
sys.argv = ["axoneme", "agent", "--config", {config!r}]
main()
"""


class FaultyAgent(AgentProcess):
    """The real process, but for one method."""

    def __init__(self, node, directory, place, times):
        super().__init__(node, directory)
        self.log, self.flag = directory / "log", directory / "flag"
        module, kind, method = place
        self.program = FAULTY.format(
            module=module,
            kind=kind,
            method=method,
            flag=str(self.flag),
            times=times,
            config=str(self.config),
        )

    def launch(self):
        """Start it, with its log in a file."""
        with self.log.open("wb") as log:
            line = [sys.executable, "-c", self.program]
            self.process = self.node.popen(line, stderr=log)
        return self

    def fault(self):
        """What status says of it, with what to do; None if nothing."""
        found = self.ask("status")["findings"]
        return next((one for one in found if one["subject"] == "agent"), None)


FOLLOWING = ("axoneme.agent.cluster", "Cluster", "follow_endpoints")
RELOADING = ("axoneme.agent.engine", "Engine", "reconfigure")
READING = ("axoneme.datapath", "EventReader", "read")


def test_a_pod_that_comes_while_the_source_cannot_be_followed_is_attached_later(node, tmp_path):
    """What was not done is done when the task is back, and changes are heard as before."""
    agent = FaultyAgent(node, tmp_path, FOLLOWING, 2)
    agent.configure(["tc"])
    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
        two.serve(80)
        with one.connect(two.ipv4, 80) as connection:
            agent.flag.touch()
            agent.add_pod("three")
            connection.sendall(b"still here")
            assert connection.recv(64) == b"still here"
        fault = agent.fault()
        assert fault["problem"].startswith("following the source failed, and is started again: ")
        assert "LookupError: nobody foresaw this" in fault["problem"]
        assert "axoneme sysdump" in fault["remedy"]
        agent.add_pod("four")
    assert "Traceback" in agent.log.read_text()
    assert agent.process.returncode == 0


def test_a_configuration_that_fails_unforeseen_is_tried_again(node, tmp_path):
    """It is in effect in the end, and the next change too."""
    agent = FaultyAgent(node, tmp_path, RELOADING, 1)
    agent.configure(["tc"])

    def forwards():
        rows = {row["name"]: row["stages"] for row in agent.ask("status")["trunks"]}
        return bool(rows["from_pod"]["forward"])

    with agent:
        agent.flag.touch()
        agent.configure(["tc"], "[tc]\nforward = false\n")
        agent.wait_for(lambda: not forwards(), "the swap")
        assert agent.fault()["problem"].startswith("following the configuration failed")
        agent.configure(["tc"])
        agent.wait_for(forwards, "the next swap")


def test_events_are_read_again_after_a_fault(node, tmp_path):
    """Those that came meanwhile too: the ring buffer keeps them."""
    agent = FaultyAgent(node, tmp_path, READING, 1)
    agent.configure(["tc"])
    with agent:
        one, two = agent.add_pod("one"), agent.add_pod("two")
        two.serve(80)
        agent.flag.touch()
        agent.wait_for(agent.fault, "the fault")
        assert agent.fault()["problem"].startswith("reading events failed")
        before = agent.ask("status")["events"]["kept"]
        assert one.reaches(two.ipv4, 80)
        agent.wait_for(lambda: agent.ask("status")["events"]["kept"] > before, "the events")
