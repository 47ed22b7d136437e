# SPDX-License-Identifier: Apache-2.0
"""What became of packets of late: the events that the agent keeps."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from axoneme.agent.client import SECONDS, follow
from axoneme.observe.flow_json import flow_as_json, lost_as_json
from axoneme.observe.following import Following
from axoneme.observe.lost import Lost

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.observe.flow import Flow

#: About 9 MB, and a tenth of that in the archive.
MOST_EVENTS: Final = 10_000


def events(run_dir: Path) -> str:
    """The last ones as `monitor -o json` writes them: an object a line, losses at their places.

    Raises:
        OSError: no agent answers.
        AxonemeError: the agent's own words.
    """
    stream = follow(run_dir, "monitor", patience=SECONDS, follow=False, last=MOST_EVENTS)
    following = Following.of(stream)
    lines = (_line(item, following.node) for items in following for item in items)
    return "".join(deque(lines, MOST_EVENTS))


def _line(item: Flow | Lost, node: str) -> str:
    return lost_as_json(item, node) if isinstance(item, Lost) else flow_as_json(item, node)
