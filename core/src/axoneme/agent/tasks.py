# SPDX-License-Identifier: Apache-2.0
"""The agent's endless tasks: one that fails is named and starts again, and none ends unheard."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

_log = logging.getLogger(__name__)
#: Seconds before a task that has failed starts again: the double each time, up to the longest.
_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


@frozen
class Task:
    """Work that goes on until it is cancelled; `name` says what it does, for people."""

    name: str
    run: Callable[[], Awaitable[object]]


@asynccontextmanager
async def running(tasks: Iterable[Task], tell: Callable[[str], object]) -> AsyncIterator[None]:
    """Keep tasks running; `tell` is given a sentence whenever something fails that nobody foresaw.

    That is also what is raised where no task waits for it: in a callback or a connection.
    """
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: _astray(loop, context, tell))
    started = [loop.create_task(_keep_running(task, tell), name=task.name) for task in tasks]
    try:
        yield
    finally:
        for one in started:
            one.cancel()
        await asyncio.gather(*started, return_exceptions=True)
        loop.set_exception_handler(None)


async def _keep_running(task: Task, tell: Callable[[str], object]) -> None:
    pause = _PAUSE
    while True:
        started = time.monotonic()
        try:
            await task.run()
            problem = "it came to an end"
        except Exception as error:  # noqa: BLE001 - whatever it is, the work goes on
            _log.exception("%s failed", task.name)
            problem = _words(error)
        if time.monotonic() - started > _LONGEST_PAUSE:
            pause = _PAUSE
        tell(f"{task.name} failed, and is started again: {problem}")
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _astray(
    loop: asyncio.AbstractEventLoop, context: dict[str, Any], tell: Callable[[str], object]
) -> None:
    loop.default_exception_handler(context)  # logs it with its traceback
    error = context.get("exception")
    tell(f"{context['message']}: {_words(error)}" if error else context["message"])


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
