# SPDX-License-Identifier: Apache-2.0
"""The demo: a node, two pods, the agent, and a stranger's plugin that comes and goes under traffic.

Run it as root, with axoneme, axoneme-tc and axoneme-portguard installed. It makes namespaces of its
own, changes nothing else, and leaves nothing. It exits with 1 if anything is not as it says.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.rule import Rule

from axoneme.sources import EmbeddedSource, EndpointRecord
from axoneme.testing import Node

if TYPE_CHECKING:
    from axoneme.testing import Pod

CLOSED, OPEN, ECHO = 8080, 9090, 7000
PAUSE = 0.001  # seconds between two datagrams
console = Console(highlight=False)


class Stream:
    """Numbered datagrams from one pod to another, and their echoes, counted."""

    def __init__(self, source: Pod, target: Pod) -> None:
        self.sent = self.answered = 0
        self._socket = source.connect(target.ipv4, ECHO, protocol="udp", timeout=0.5)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        # Never in bursts: what a socket's buffer drops is no loss of the network's.
        while not self._ended.is_set():
            self._socket.send(self.sent.to_bytes(8))
            self.sent += 1
            time.sleep(PAUSE)

    def _receive(self) -> None:
        while True:
            try:
                self._socket.recv(64)
                self.answered += 1
            except TimeoutError:
                if self._ended.is_set():
                    return

    def end(self) -> None:
        """Stop sending, and wait for the last answers."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()


class Demo:
    """One run, in a directory of its own."""

    def __init__(self, node: Node, directory: Path) -> None:
        self.node = node
        self.directory = directory
        self.config = directory / "axoneme.toml"
        self.source = EmbeddedSource(directory / "state")
        self.source.create()
        self.client, self.server = node.add_pod("client"), node.add_pod("server")
        for pod in (self.client, self.server):
            self.publish(pod)
        for port in (CLOSED, OPEN):
            self.server.serve(port)
        self.server.serve(ECHO, protocol="udp")

    def publish(self, pod: Pod) -> None:
        """Tell the agent of a pod, as the CNI plugin will."""
        e = pod.endpoint(1000 + pod.number)
        self.source.write(
            EndpointRecord(e.id, e.name, e.namespace, e.ifname, e.mac, e.addresses, e.identity)
        )

    def configure(self, *plugins: str) -> None:
        """Write the configuration; a running agent notices."""
        names = ", ".join(f'"{name}"' for name in plugins)
        addresses = ", ".join(
            f'"{f"[{a}]" if a.version == 6 else a}:{CLOSED}/tcp"' for a in self.server.addresses
        )
        section = f"\n[portguard]\nclosed = [{addresses}]\n" if "portguard" in plugins else ""
        draft = self.config.with_suffix(".new")
        draft.write_text(
            f'[agent]\nplugins = [{names}]\nstate-dir = "{self.directory}/state"\n'
            f'run-dir = "{self.directory}/run"\n{section}'
        )
        draft.replace(self.config)

    def axoneme(self, *words: str) -> list[str]:
        """The command, for this demo's agent."""
        return [sys.executable, "-m", "axoneme", *words, "--config", str(self.config)]

    def show(self, *words: str) -> None:
        """Run the command and let it print."""
        console.print(f"[bold]$ axoneme {' '.join(words)}[/]")
        sys.stdout.flush()
        subprocess.run(self.axoneme(*words), check=True)

    def metrics(self) -> str:
        """The agent's metrics."""
        return subprocess.run(
            self.axoneme("metrics"), check=True, capture_output=True, text=True
        ).stdout

    def start_agent(self) -> subprocess.Popen[bytes]:
        """Start the agent in the node, and wait until it answers."""
        agent = self.node.popen(self.axoneme("agent", "--log-level", "warning"))
        wait((self.directory / "run" / "agent.sock").exists, "the agent answers")
        return agent

    def try_ports(self, *, closed: bool) -> None:
        """Ask both ports in both families, and check who answers."""
        for address in self.server.addresses:
            for port in (CLOSED, OPEN):
                answers = self.client.reaches(address, port, timeout=0.3)
                word = "[green]answers[/]" if answers else "[red]is silent[/]"
                console.print(f"  client -> {address} port {port}: {word}")
                expect(answers == (port == OPEN or not closed), f"port {port} at {address}")


def wait(condition: object, what: str, seconds: float = 20.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        expect(time.monotonic() < end, what)
        time.sleep(0.02)


def expect(fact: bool, what: str) -> None:
    """End the demo if something is not as it says."""
    if not fact:
        console.print(f"[bold red]not as it should be: {what}[/]")
        sys.exit(1)


def title(text: str) -> None:
    """A step's heading."""
    console.print(Rule(text, align="left"))


def lanes(demo: Demo) -> str:
    """How many plugins are linked into the stage policy, of the metrics."""
    rows = demo.metrics().splitlines()
    return next(r for r in rows if r.startswith('axoneme_lanes{stage="policy"}')).split()[1]


def run(demo: Demo) -> None:
    """All steps."""
    title("The agent links the plugin tc into the trunks and attaches them to both pods")
    demo.configure("tc")
    agent = demo.start_agent()
    demo.show("status")

    title("The pods talk")
    demo.try_ports(closed=False)

    title("While they send datagrams, the stranger's plugin is enabled by config")
    stream = Stream(demo.client, demo.server)
    time.sleep(0.5)
    demo.configure("tc", "portguard")
    wait(lambda: lanes(demo) == "1.0", "portguard is linked into the stage policy")
    demo.show("plugins")

    title(f"Port {CLOSED} is refused, with the plugin's own reason")
    demo.try_ports(closed=True)
    demo.show("status")
    expect("Port closed by portguard" in demo.metrics(), "the plugin's reason is counted")

    title("It is disabled again")
    demo.configure("tc")
    wait(lambda: lanes(demo) == "0.0", "portguard is not linked in any more")
    demo.try_ports(closed=False)
    stream.end()
    lost = stream.sent - stream.answered
    console.print(f"Datagrams sent {stream.sent}, answered {stream.answered}: [bold]{lost} lost[/]")
    expect(lost == 0, "no packet was lost in two swaps")

    title("The agent ends; what is attached stays, until the node goes")
    agent.terminate()
    expect(agent.wait(20) == 0, "the agent ended by itself")
    demo.try_ports(closed=False)


def main() -> None:
    """Make everything, run, take everything down."""
    title("A node and two pods, in namespaces of their own")
    with tempfile.TemporaryDirectory(prefix="axoneme-demo-") as directory, Node() as node:
        demo = Demo(node, Path(directory))
        for pod in (demo.client, demo.server):
            console.print(f"  {pod.name}: {pod.ipv4}, {pod.ipv6} by {pod.ifname}")
        run(demo)
    console.print("[bold green]done: nothing is left[/]")


if __name__ == "__main__":
    main()
