# SPDX-License-Identifier: Apache-2.0
"""Events: how many an agent takes, how many a monitor shows, how soon, and what pods notice of it.

Events are drops, which a trunk tells of one by one. They are made by test runs of the programs that
a running agent has attached, on one CPU; the agent and what follows it have the other one, mostly.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from subprocess import PIPE
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from attrs import define
from tests.bench.agents import BenchAgent
from tests.bench.compiling import compiled_program
from tests.bench.loads import Load
from tests.bench.measure import in_turns, quick, ratio
from tests.bench.results import BenchError, Result
from tests.system.watching import Sender, sender

from axoneme.testing import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen

    from axoneme.testing import Pod

_MANY, _FOLLOWED = 200_000, 20_000
#: So much more is sent, since the last of them may be late.
_MORE = 1.03
_SECONDS = 5
_TICK = 0.01
_DROPS = 100
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_SILENT = "".join(
    f"bpf-events-{what}-enabled = false\n" for what in ("drop", "policy-verdict", "trace")
)


def run() -> list[Result]:
    """Measure with a real agent; needs root."""
    with _running() as (agent, pod), sender(agent.node, pod) as packets:
        found = [*_counted(agent, packets), *_followed(agent, packets)]
        found += [*_beyond(agent, packets), *_soon(agent, packets)]
    return [*found, *_noticed()]


@contextmanager
def _running() -> Iterator[tuple[BenchAgent, Pod]]:
    with ExitStack() as stack:
        node = stack.enter_context(Node())
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="axoneme-bench-")))
        agent = stack.enter_context(BenchAgent(node, folder))
        yield agent, agent.add_pod()


def _seconds() -> float:
    return 1 if quick() else _SECONDS


@define
class Spent:
    """The CPU time of a process, of which a part is asked for."""

    pid: int
    before: float = 0.0

    def begin(self) -> None:
        """Count from now on."""
        self.before = self._seconds()

    def cores(self, seconds: float) -> float:
        """How many cores it took in so many seconds."""
        return (self._seconds() - self.before) / seconds

    def _seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def _send(packets: Sender, rate: int, seconds: float) -> int:
    """So many packets a second, evenly; how many they were."""
    begin, sent = time.monotonic(), 0
    while (passed := time.monotonic() - begin) < seconds:
        due = int(rate * passed) - sent
        if due > 0:
            packets.drops(due)
            sent += due
        time.sleep(_TICK)
    return sent


def _counted(agent: BenchAgent, packets: Sender) -> list[Result]:
    """Into the counters and the ring buffer, and out of it into what the agent keeps."""
    spent = _spent(agent)
    before = agent.ask("status")["events"]
    spent.begin()
    begin = time.monotonic()
    _send(packets, int(_MANY * _MORE), _seconds())
    passed = time.monotonic() - begin
    cores = spent.cores(passed)
    after = agent.ask("status")["events"]
    seen, sent, lost = (after[name] - before[name] for name in ("seen", "sent", "lost"))
    if seen != sent + lost:
        raise BenchError(f"{seen} were seen, but {sent} sent and {lost} lost")
    return [
        _result("events into counters and ring", sent / passed, "/s", _MANY, at_least=True),
        _result("of these the ring had no room for", lost, "events", 0),
        _result("the agent at that rate, nobody following", cores, "cores", 1),
    ]


@contextmanager
def _monitor(agent: BenchAgent, out: int, *words: str) -> Iterator[Popen[str]]:
    """The command, when it follows."""
    line = [sys.executable, "-m", "axoneme", "monitor", "--config", str(agent.config), *words]
    with agent.node.popen(line, stdout=out, text=True) as process:
        agent.wait_for(lambda: agent.ask("status")["events"]["readers"], "the monitor")
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def _written(agent: BenchAgent) -> Iterator[tuple[Popen[str], Path]]:
    """A monitor that writes JSON into a file."""
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory())) / "out"
        out = stack.enter_context(path.open("w"))
        yield stack.enter_context(_monitor(agent, out.fileno(), "-o", "json")), path


def _followed(agent: BenchAgent, packets: Sender) -> list[Result]:
    """As many as a monitor is to show."""
    with _written(agent) as (process, path):
        agent_spent, monitor_spent = _spent(agent), Spent(process.pid)
        agent_spent.begin()
        monitor_spent.begin()
        begin = time.monotonic()
        sent = _send(packets, int(_FOLLOWED * _MORE), _seconds())
        passed = time.monotonic() - begin
        cores = agent_spent.cores(passed), monitor_spent.cores(passed)
        shown, lost = _until(path, sent)
    return [
        _result("events to monitor -o json", shown / passed, "/s", _FOLLOWED, at_least=True),
        _result("of these lost", lost, "events", 0),
        _result("the agent at that rate", cores[0], "cores", 1),
        _result("the monitor at that rate", cores[1], "cores"),
    ]


def _beyond(agent: BenchAgent, packets: Sender) -> list[Result]:
    """More than a monitor can show: what it does not show it tells of."""
    with _written(agent) as (_, path):
        sent = _send(packets, _MANY, _seconds())
        shown, lost = _until(path, sent)
    return [
        _result(
            "events beyond that, neither shown nor told lost", sent - shown - lost, "events", 0
        ),
        _result("of these told lost", lost / sent, "of 1"),
    ]


def _until(path: Path, sent: int) -> tuple[int, int]:
    """The lines of flows that a monitor wrote, and the sum of what it told lost."""
    end, shown, lost = time.monotonic() + 120, 0, 0
    with path.open("rb") as lines:
        while shown + lost < sent and time.monotonic() < end:
            line = lines.readline()
            if not line.endswith(b"\n"):
                lines.seek(-len(line), 1)
                time.sleep(0.05)
            elif b'"lost":{' in line:
                lost += json.loads(line)["lost"]["count"]
            else:
                shown += 1
    return shown, lost


def _soon(agent: BenchAgent, packets: Sender) -> list[Result]:
    """From the packet to the line."""
    times = []
    with _monitor(agent, PIPE, "--type", "drop") as process:
        assert process.stdout is not None
        for number in range(10 if quick() else _DROPS):
            time.sleep(0.03 + number % 7 * 0.003)
            begin = time.monotonic()
            packets.drops()
            process.stdout.readline()
            times.append((time.monotonic() - begin) * 1e3)
    return [
        _result("drop to its line, 95th percentile", quantiles(times, n=20)[-1], "ms", 50),
        _result("drop to its line, median", median(times), "ms"),
    ]


def _noticed() -> list[Result]:
    """Two pods with the events of the default, and two with none."""
    with ExitStack() as stack:
        load = Load(stack.enter_context(compiled_program("rr")))
        pairs = {}
        for number, (name, keys) in enumerate({"told": "", "silent": _SILENT}.items(), 1):
            node = stack.enter_context(Node(number=number))
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="axoneme-bench-")))
            agent = stack.enter_context(BenchAgent(node, folder, keys))
            pairs[name] = agent.add_pod(), agent.add_pod()
            stack.enter_context(load.served(pairs[name][1]))
        trips = in_turns({n: partial(load.round_trip, c, s.ipv4) for n, (c, s) in pairs.items()})
        made = in_turns({n: partial(load.connecting, c, s.ipv4) for n, (c, s) in pairs.items()})
    opened = {name: [one.median for one in several] for name, several in made.items()}
    return [
        _result(
            "round trip with events, of without", ratio(trips["told"], trips["silent"]), "x", 1.1
        ),
        _result("connect with events, of without", ratio(opened["told"], opened["silent"]), "x"),
    ]


def _result(
    name: str, value: float, unit: str, goal: float | None = None, *, at_least: bool = False
) -> Result:
    return Result(name, value, unit, goal, at_least, issue="operate")


def _spent(agent: BenchAgent) -> Spent:
    assert agent.process is not None
    return Spent(agent.process.pid)
