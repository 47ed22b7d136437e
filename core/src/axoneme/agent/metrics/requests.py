# SPDX-License-Identifier: Apache-2.0
"""A handler of the CNI that measures another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from attrs import frozen

from axoneme.cni import CniError
from axoneme.cni import Code as CniCode

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from axoneme.cni import CniHandler, CniRequest, CniResult

    from .measures import Measures


T = TypeVar("T")


@frozen
class MeasuredCni:
    """Passes every request on, and tells how long it took and with which code it ended."""

    handler: CniHandler
    measures: Measures

    async def add(self, request: CniRequest) -> CniResult:
        """Make a pod's device."""
        return await self._measured("ADD", self.handler.add(request))

    async def delete(self, request: CniRequest) -> None:
        """Remove a pod's device."""
        await self._measured("DEL", self.handler.delete(request))

    async def check(self, request: CniRequest) -> None:
        """Look at a pod's device."""
        await self._measured("CHECK", self.handler.check(request))

    async def status(self, request: CniRequest) -> None:
        """Say whether an ADD could be done."""
        await self._measured("STATUS", self.handler.status(request))

    async def gc(self, request: CniRequest) -> None:
        """Remove devices that nobody knows."""
        await self._measured("GC", self.handler.gc(request))

    async def _measured(self, method: str, answer: Awaitable[T]) -> T:
        started, code = time.perf_counter(), 0
        try:
            return await answer
        except CniError as error:
            code = int(error.code)
            raise
        except Exception:
            code = int(CniCode.FAILED)
            raise
        finally:
            self.measures.requested(method, code, time.perf_counter() - started)
