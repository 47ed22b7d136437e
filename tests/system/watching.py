# SPDX-License-Identifier: Apache-2.0
"""Readers of an agent's events, and packets for its programs to tell of."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from axoneme._bpf import lib
from axoneme.agent.client import follow
from axoneme.datapath._kernel import link_info
from axoneme.datapath.pins import open_pin
from axoneme.datapath.testruns import run_tc
from axoneme.observe.flow import Flow
from axoneme.observe.following import Following
from axoneme.observe.lost import Lost
from axoneme.testing import scaled
from axoneme.testing.packets import UDP, Ethernet, IPv4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from axoneme.testing import Node, Pod

STRANGER = "10.99.0.1"


class Watcher:
    """Follows an agent's events in a thread; what came is in `flows` and `lost`."""

    def __init__(self, run_dir: Path, **asked: Any) -> None:
        self.flows: list[Flow] = []
        self.lost: list[Lost] = []
        self.times: list[float] = []
        self.error: Exception | None = None
        self._following = Following.of(follow(run_dir, "monitor", **asked))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for items in self._following:
                now = time.time()
                for item in items:
                    if isinstance(item, Lost):
                        self.lost.append(item)
                    else:
                        self.flows.append(item)
                        self.times.append(now)
        except (OSError, ValueError) as error:
            self.error = error

    def wait(self, condition: Callable[[Self], object], seconds: float = 10) -> bool:
        """Whether a condition holds in time."""
        end = time.monotonic() + scaled(seconds)
        while not condition(self):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def wait_for(self, count: int) -> list[Flow]:
        """So many flows."""
        assert self.wait(lambda one: len(one.flows) >= count), f"{len(self.flows)} of {count}"
        return self.flows

    def ended(self) -> bool:
        """Whether the stream has ended."""
        self._thread.join(scaled(10))
        return not self._thread.is_alive()


def past(run_dir: Path, **asked: Any) -> list[Flow]:
    """What is kept."""
    stream = follow(run_dir, "monitor", follow=False, **asked)
    return [item for items in Following.of(stream) for item in items if isinstance(item, Flow)]


class Sender:
    """Runs packets through the programs that an agent has attached to a pod."""

    def __init__(self, node: Node, pod: Pod, program: int) -> None:
        self.node, self.pod, self.program = node, pod, program

    def drops(self, count: int = 1, *, port: int = 53) -> None:
        """Packets from an address that is not the pod's own, each of which is dropped and told."""
        packet = bytes(Ethernet() / IPv4(STRANGER, "10.99.0.2") / UDP(5000, port))
        self.node.call(run_tc, self.program, packet, ifindex=self.pod.ifindex, repeat=count)


@contextmanager
def sender(node: Node, pod: Pod) -> Iterator[Sender]:
    """A sender, while the programs are those of now."""
    program = node.call(_program, node.bpffs / "axoneme" / "links" / f"from_pod-{pod.ifindex}")
    try:
        yield Sender(node, pod, program)
    finally:
        os.close(program)


def _program(pin: Path) -> int:
    link = open_pin(pin)
    try:
        return int(lib.bpf_prog_get_fd_by_id(link_info(link).program_id))
    finally:
        os.close(link)
