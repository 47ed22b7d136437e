# SPDX-License-Identifier: Apache-2.0
"""The agent of one node: configuration and desired state in, an attached datapath out."""

from __future__ import annotations

from axoneme.agent.agent import Agent
from axoneme.agent.engine import Applied, Engine
from axoneme.agent.server import ask

__all__ = ["Agent", "Applied", "Engine", "ask"]
