# SPDX-License-Identifier: Apache-2.0
"""The agent of one node: configuration and desired state in, an attached datapath out."""

from __future__ import annotations

from axoneme.agent.engine import Applied, Engine

__all__ = ["Applied", "Engine"]
