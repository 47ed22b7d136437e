# SPDX-License-Identifier: Apache-2.0
"""A thread that runs one function after another for other threads."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from axoneme.errors import AxonemeError
from axoneme.testing._timeouts import scaled

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

_STOP_SECONDS = 10


class KitError(AxonemeError):
    """Read the message: the machine lacks something for tests, or a test held on to something."""


class Worker:
    """A thread that first enters its namespaces, then runs what it is given.

    A thread inherits namespaces and cgroup of the thread that calls `start`.
    """

    def __init__(self, name: str, enter: Callable[[], object] | None = None) -> None:
        self.name = name
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        # A daemon, so that a function which never returns does not keep the interpreter.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._stopped = False
        self._enter = enter

    def start(self) -> None:
        """Start the thread, and return when it has entered its namespaces."""
        self._thread.start()
        if self._enter is None:
            return
        try:
            self.call(self._enter)
        except BaseException:
            self.stop()
            raise

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function run after those before it, and return at once."""
        if self._stopped:
            raise KitError(f"{self.name} is closed; use it inside its `with`")
        future: Future[T] = Future()
        self._queue.put((future, partial(function, *args, **kwargs)))
        return future

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in the thread and return its result, or raise what it raised."""
        if threading.get_ident() == self._thread.ident:
            return function(*args, **kwargs)
        return self.submit(function, *args, **kwargs).result()

    def stop(self) -> None:
        """End the thread after what it was given before."""
        if self._stopped:
            return
        self._stopped = True
        self._queue.put(None)
        self._thread.join(scaled(_STOP_SECONDS))
        if self._thread.is_alive():
            raise KitError(
                f"{self.name} still runs a function and keeps its namespaces until the process "
                "ends; let what it waits for time out"
            )

    def _run(self) -> None:
        while self._work(self._queue.get()):
            pass

    @staticmethod
    def _work(task: tuple[Future[Any], Callable[[], Any]] | None) -> bool:
        # A function of its own, so that results do not stay alive while the thread waits.
        if task is None:
            return False
        future, function = task
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        return True
