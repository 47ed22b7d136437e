# SPDX-License-Identifier: Apache-2.0
"""One socket that two CPUs send by: what it remembers is never of two flows by halves."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

from plugins.tc.tests.remembering import remembering

from axoneme.testing import scaled

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme.testing import Pod

PORT = 9001
SHORT = '[tc]\nsocket-cache-lease = "10ms"'


class Storm:
    """Threads that send by one socket, each to a pod of its own, and what the pods received."""

    def __init__(self, source: socket.socket, pods: tuple[Pod, ...]) -> None:
        self.sent = [0] * len(pods)
        self.strays: list[bytes] = []
        self._source = source
        self._done = threading.Event()
        self._pods = pods
        self._targets = [pod.socket(kind=socket.SOCK_DGRAM) for pod in pods]
        for target, pod in zip(self._targets, pods, strict=True):
            target.bind((str(pod.ipv4), PORT))
            target.settimeout(scaled(0.5))

    def rage(self, meanwhile: Callable[[], None]) -> None:
        """Send as fast as can be while something is done, and until all has arrived."""
        threads = [
            threading.Thread(target=act, args=(number,))
            for number in range(len(self._pods))
            for act in (self._listen, self._speak)
        ]
        for thread in threads:
            thread.start()
        try:
            meanwhile()
        finally:
            self._done.set()
            for thread in threads:
                thread.join()

    def _speak(self, number: int) -> None:
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cpus[number % len(cpus)]})
        address = (str(self._pods[number].ipv4), PORT)
        while not self._done.is_set():
            self._source.sendto(b"%d" % number, address)
            self.sent[number] += 1

    def _listen(self, number: int) -> None:
        with self._targets[number] as target:
            while True:
                try:
                    data = target.recv(10)
                except TimeoutError:
                    if self._done.is_set():
                        return
                    continue
                if data != b"%d" % number:
                    self.strays.append(data)


def test_one_socket_on_two_cpus_mixes_no_flows(new_ruled):
    """Its verdict changes all the time, by leases and generations: no packet strays."""
    with remembering(new_ruled, SHORT) as pair:
        ruled = pair.ruled
        third = ruled.pipeline.add_pod("third")
        with ruled.one.socket(kind=socket.SOCK_DGRAM) as source:
            source.bind((str(ruled.one.ipv4), 6006))
            storm = Storm(source, (ruled.two, third))

            def bump() -> None:
                for _ in range(50):
                    threading.Event().wait(0.02)
                    ruled.call(ruled.rules.runtime.bump)

            seen = pair.during(lambda: storm.rage(bump))
        assert not storm.strays
        assert min(storm.sent) > 100
        assert seen.recalled > 100
        assert seen.whole > 100
        assert seen.recalled + seen.whole == sum(storm.sent)
