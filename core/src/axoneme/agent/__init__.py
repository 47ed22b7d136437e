# SPDX-License-Identifier: Apache-2.0
"""The agent of one node: configuration and desired state in, an attached datapath out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme._lazy import lazy

if TYPE_CHECKING:
    from axoneme.agent.agent import Agent
    from axoneme.agent.client import ask
    from axoneme.agent.engine import Applied, Engine

__all__ = ["Agent", "Applied", "Engine", "ask"]

__getattr__ = lazy(
    __name__, __all__, ("axoneme.agent.client", "axoneme.agent.engine", "axoneme.agent.agent")
)
