# SPDX-License-Identifier: Apache-2.0
"""The agents of other nodes, who follow a packet there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from axoneme.agent.client import SECONDS, encode, nobody, result
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from axoneme.model.node import NodeRecord

_LONGEST_ANSWER = 1 << 22


class Peers(Protocol):
    """How agents ask each other."""

    async def follow(self, node: NodeRecord, parcel: dict[str, Any]) -> dict[str, Any]:
        """Return what becomes of a parcel at a node.

        Raises:
            AxonemeError: its agent cannot be asked, or its own words.
        """


class SocketPeers:
    """Agents of one machine, by the sockets that their nodes' records name."""

    async def follow(self, node: NodeRecord, parcel: dict[str, Any]) -> dict[str, Any]:
        """See `Peers`."""
        if not node.agent:
            raise AxonemeError(f"node {node} does not say where its agent is asked")
        try:
            answer = await _request(Path(node.agent), "follow", parcel=parcel)
        except ConnectionError as error:
            raise AxonemeError(f"node {node}: {error}") from error
        return dict(answer)


async def _request(path: Path, method: str, **arguments: Any) -> Any:
    """Ask the agent whose socket this is, while others are served."""
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST_ANSWER)
            try:
                writer.write(encode(method, arguments))
                return result(path, await reader.readline())
            finally:
                writer.close()
    except OSError as error:
        raise nobody(path) from error
