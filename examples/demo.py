# SPDX-License-Identifier: Apache-2.0
"""The demo: two nodes, pods by CNI, a policy, who reaches whom, and agents that are killed.

Run it as root, with axoneme and axoneme-tc installed. It makes a lab of its own, changes nothing
else, and leaves nothing. It exits with 1 if anything is not as it says.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from axoneme.cli.rows import table
from axoneme.lab import Lab, Port, Settings
from axoneme.lab.agents import end_agent, start_agent, wait_for_agents
from axoneme.lab.manifests import apply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.lab import Place

HTTP, ECHO = 8080, 7000
#: Only pods that are labelled role=shop reach the web pods, at their port http and UDP port 7000.
POLICY = f"""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: only-shops
  namespace: default
spec:
  podSelector:
    matchLabels: {{app: web}}
  policyTypes: [Ingress]
  ingress:
    - from:
        - podSelector:
            matchLabels: {{role: shop}}
      ports:
        - port: http
        - port: {ECHO}
          protocol: UDP
"""

SERVE = f"""
import socket, threading
def accept():
    with socket.create_server(("::", {HTTP}), family=socket.AF_INET6, dualstack_ipv6=True) as one:
        while True:
            one.accept()[0].close()
threading.Thread(target=accept).start()
echo = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
echo.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
echo.bind(("::", {ECHO}))
while True:
    echo.sendto(*echo.recvfrom(64))
"""
CONNECT = """
import socket, sys
for address in sys.argv[2:]:
    try:
        socket.create_connection((address, int(sys.argv[1])), 0.4).close()
    except OSError:
        print("silent")
    else:
        print("answers")
"""
#: Numbered datagrams, one a millisecond: never in bursts, since a full buffer is no loss of ours.
STREAM = f"""
import socket, sys, threading, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
stream = socket.socket(family, socket.SOCK_DGRAM)
stream.connect((sys.argv[1], {ECHO}))
stream.settimeout(1)
answered = set()
def receive():
    while True:
        try:
            answered.add(stream.recv(64))
        except TimeoutError:
            return
sent = 0
receiver = threading.Thread(target=receive)
receiver.start()
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set())).start()
while not ended.wait(0.001):
    stream.send(sent.to_bytes(8))
    sent += 1
receiver.join()
print(sent, sent - len(answered))
"""


class Demo:
    """One run."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.web = lab.add_pod(
            "web", node="node1", labels={"app": "web"}, ports=[Port(HTTP, "http")]
        )
        self.pods = [
            lab.add_pod(name, node=node, labels={"role": role})
            for name, node, role in (
                ("shop-1", "node1", "shop"),
                ("shop-2", "node2", "shop"),
                ("guest-1", "node1", "guest"),
                ("guest-2", "node2", "guest"),
            )
        ]
        #: Who asks, and by which addresses.
        self.askers = {pod.name: list(pod.addresses) for pod in self.pods}
        self.askers |= {n.name: [str(a) for a in n.addresses] for n in lab.nodes}
        self.askers["outside"] = [str(a) for a in lab.outside_addresses[:2]]

    def answers(self, asker: str) -> list[bool]:
        """Whether web answers, at each of its addresses."""
        line = [sys.executable, "-c", CONNECT, str(HTTP), *self.web.addresses]
        printed = run(self.lab.place(asker), *line)
        return [word == "answers" for word in printed.split()]

    def why(self, asker: str, family: int) -> dict[str, Any]:
        """What web's agent says of a packet from there: programs are asked, not its memory."""
        source, target = self.askers[asker][family], f"[{self.web.addresses[family]}]:{HTTP}"
        return self.lab.node(self.web.node).ask("explain", source=source, target=target)

    def table(self, expected: set[str]) -> None:
        """Show who reaches web, or which policy refuses, and check that it is as expected."""
        columns = [f"web, {address}" for address in self.web.addresses]
        wrong, rows = [], []
        for asker in self.askers:
            row = {"FROM": asker}
            for family, answered in enumerate(self.answers(asker)):
                said = self.why(asker, family)
                policies = [one["policy"] for one in (said["refusal"] or {}).get("policies", ())]
                row[columns[family]] = (
                    "answers" if answered else f"refused by {', '.join(policies)}"
                )
                agree = answered == (said["verdict"] == "allowed") == (asker in expected)
                if not agree or not (answered or policies):
                    wrong.append(f"{asker} to {self.web.addresses[family]}: {said}")
            rows.append(row)
        inks = {name: partial(coloured, name) for name in columns}
        for line in table(rows, {name: name for name in ("FROM", *columns)}, inks):
            click.echo(line)
        expect(not wrong, "; ".join(wrong))

    def stream(self, pod: str, family: int) -> subprocess.Popen[str]:
        """Datagrams from a pod to web and back, until their input ends."""
        line = [sys.executable, "-c", STREAM, self.web.addresses[family]]
        pipe = subprocess.PIPE
        place = self.lab.place(pod)
        return subprocess.Popen(place.command(line), stdin=pipe, stdout=pipe, text=True)

    def kill_agents(self) -> None:
        """End each node's agent as a crash would, and bring it back."""
        for node in self.lab.nodes:
            end_agent(node)
            click.echo(f"  the agent of {node.name} is killed")
            time.sleep(0.5)
            expect(self.answers("shop-2") == [True, True], "new connections pass meanwhile")
            expect(self.answers("guest-2") == [False, False], "the policy holds meanwhile")
            started = time.monotonic()
            start_agent(node)
            wait_for_agents([node])
            click.echo(f"  it is back after {time.monotonic() - started:.1f} s")
            time.sleep(0.5)


def coloured(column: str, row: dict[str, str], text: str) -> str:
    """A cell of the table, green where web answers."""
    return click.style(text, fg="green" if row[column] == "answers" else "red")


def run(place: Place, *words: str) -> str:
    """Run a command in a place; what it printed."""
    return subprocess.run(
        place.command(words), check=True, stdout=subprocess.PIPE, text=True, timeout=60
    ).stdout


def wait(condition: Any, what: str, seconds: float = 20.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, what)
        time.sleep(0.02)


def expect(fact: bool, what: str) -> None:
    """End the demo if something is not as it says."""
    if not fact:
        click.secho(f"not as it should be: {what}", fg="red", bold=True)
        sys.exit(1)


def title(text: str) -> None:
    """A step's heading."""
    click.secho(f"\n── {text}", fg="green")


def show(lab: Lab, *words: str) -> None:
    """Run the command and let it print."""
    click.secho(f"$ axoneme lab {' '.join(words)} --name {lab.name}", bold=True)
    line = [sys.executable, "-m", "axoneme", "lab", *words, "--name", lab.name]
    subprocess.run(line, check=True)


def steps(lab: Lab) -> Iterator[subprocess.Popen[Any]]:
    """All steps; what is started on the way is yielded, to be ended with the demo."""
    title("Two nodes, each with an agent, a bpffs and a cgroup, and pods that CNI makes")
    lab.up(Settings(nodes=2))
    demo = Demo(lab)
    show(lab, "status")
    yield subprocess.Popen(lab.place("web").command([sys.executable, "-c", SERVE]))
    wait(lambda: all(map(all, map(demo.answers, demo.askers))), "everybody reaches web")

    title("Without a policy everybody reaches web, over IPv4 and IPv6")
    demo.table(set(demo.askers))

    title("A NetworkPolicy: only pods with the label role=shop")
    with tempfile.TemporaryDirectory() as directory:
        policy = Path(directory, "only-shops.yaml")
        policy.write_text(POLICY)
        apply(lab, policy)
    # Node 1 is web's own: whoever runs pods must be able to ask whether they are well.
    allowed = {"shop-1", "shop-2", "node1"}
    wait(lambda: demo.why("outside", 1)["verdict"] == "dropped", "the policy is in effect")
    demo.table(allowed)

    title("Both agents are killed, one after the other, while datagrams go to and fro")
    streams = [demo.stream("shop-1", 0), demo.stream("shop-2", 1)]
    yield from streams
    time.sleep(0.5)
    demo.kill_agents()
    for stream in streams:
        sent, lost = map(int, stream.communicate("")[0].split())
        click.echo(f"Datagrams sent {sent}: {click.style(f'{lost} lost', bold=True)}")
        expect(sent > 0 and lost == 0, "no datagram is lost")

    title("The policy is what it was")
    demo.table(allowed)


def main() -> None:
    """Make everything, run, take everything down."""
    lab = Lab("demo")
    lab.down()  # what a demo that was killed may have left
    with ExitStack() as undo:
        undo.callback(lab.down)
        for process in steps(lab):
            undo.callback(process.wait)
            undo.callback(process.kill)
    expect(not lab.directory.exists(), "nothing is left")
    click.secho("done: nothing is left", fg="green", bold=True)


if __name__ == "__main__":
    main()
