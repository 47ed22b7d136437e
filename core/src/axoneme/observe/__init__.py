# SPDX-License-Identifier: Apache-2.0
"""What is known of packets after they are gone: events with names, kept, chosen and told.

The agent's side keeps rows packed; flows are made of them where somebody reads them.
"""

from __future__ import annotations

from axoneme.observe.directory import Directory, Owner

__all__ = ["Directory", "Owner"]
