# SPDX-License-Identifier: Apache-2.0
"""Sources of desired state: where the agent learns of endpoints."""

from __future__ import annotations

from axoneme.sources.embedded import EmbeddedSource, EndpointRecord, EndpointsRead

__all__ = ["EmbeddedSource", "EndpointRecord", "EndpointsRead"]
