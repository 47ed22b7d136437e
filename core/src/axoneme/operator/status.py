# SPDX-License-Identifier: Apache-2.0
"""What an operator says of itself, as plain values."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from axoneme.operator.operator import Operator


def describe(operator: Operator) -> dict[str, Any]:
    """The whole status, as JSON takes it. Who does not lead knows nothing of nodes and pools."""
    leading, rounds, notes = bool(operator.since), operator.rounds, operator.notes
    problems = (*notes.refused, *notes.fixed, *(rounds.problems if leading else ()))
    plan = rounds.planned.plan if leading else None
    return {
        "ok": not problems,
        "pid": os.getpid(),
        "config": str(operator.config_path),
        "leading": leading,
        "since": operator.since,
        "leader": operator.leadership.leader(),
        "plans": plan is not None,
        "plugin": rounds.planned.plugin,
        "nodes": rounds.nodes if leading else None,
        "rounds": rounds.durations.count,
        "seconds": round(rounds.seconds, 4),
        "pools": [
            {
                "pool": one.pool,
                "family": f"ipv{one.version}",
                "parts": one.parts,
                "given": one.given,
                "free": one.free,
            }
            for one in (plan.pools if plan else ())
        ],
        "unserved": dict(plan.errors) if plan else {},
        "problems": list(problems),
        "errors": [
            {"text": text, "seconds": round(seconds, 1)} for text, seconds in notes.ages().items()
        ],
    }
