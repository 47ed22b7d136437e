# SPDX-License-Identifier: Apache-2.0
"""The ring buffer of events, read by a thread that does nothing else.

What it has read waits for the agent's loop. Should that be long in coming, the thread leaves rows
where they are, and the kernel counts what it has no room for.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme.datapath import EventReader

#: Seconds between two looks at the ring buffer.
_PERIOD = 0.02
#: Bytes that wait for the loop.
_MOST_WAITING = 1 << 23


@define
class Ring:
    """Takes rows out of the ring buffer, and hands them over in the loop, in order."""

    _reader: EventReader
    _deliver: Callable[[bytes], None]
    _read: deque[bytes] = field(factory=deque, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    async def run(self) -> None:
        """Read until it is cancelled.

        Raises:
            DatapathError: the ring buffer cannot be read.
        """
        loop, ended = asyncio.get_running_loop(), threading.Event()
        with ThreadPoolExecutor(1, "events") as thread:
            try:
                await loop.run_in_executor(thread, self._follow, loop, ended)
            finally:
                ended.set()

    def close(self) -> None:
        """Let go of the ring buffer."""
        self._reader.close()

    def take(self) -> None:
        """Hand over all that there is at this moment; to be called in the loop."""
        self._take()
        self._hand_over()

    def _follow(self, loop: asyncio.AbstractEventLoop, ended: threading.Event) -> None:
        while not ended.wait(_PERIOD):
            if self._take():
                loop.call_soon_threadsafe(self._hand_over)

    def _take(self) -> bool:
        with self._lock:
            if sum(map(len, self._read)) > _MOST_WAITING:
                return False
            rows = self._reader.read()
            if rows:
                self._read.append(rows)
            return bool(rows)

    def _hand_over(self) -> None:
        while self._read:
            self._deliver(self._read.popleft())
