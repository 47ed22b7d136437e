# SPDX-License-Identifier: Apache-2.0
"""How the answer to `axoneme explain` looks on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLOURS = {"allowed": "green", "dropped": "red", "lost": "yellow"}
_VERDICTS = {"drop": "red", "redirect": "green", "pass": "green"}
_INDENT = " " * 40


def explain_view(answer: dict[str, Any]) -> Iterator[str]:
    """Everything on the packet's way, and what came of it last: that is where a terminal ends."""
    return (line.rstrip() for line in _lines(answer))


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    yield f"{_end(answer['source'])} to {_end(answer['target'])}, {_port(answer)}"
    for leg in answer["legs"]:
        yield ""
        yield from _leg(leg)
    yield ""
    verdict = click.style(answer["verdict"], fg=_COLOURS[answer["verdict"]], bold=True)
    yield f"{verdict}: {answer['words']}"
    if answer["refusal"]:
        yield from _refusal(answer["refusal"])
    yield from (f"  {text}" for text in answer["advice"])
    yield ""
    yield click.style(answer["note"], dim=True)


def _end(end: dict[str, Any]) -> str:
    identity = f", identity {end['identity']}, {end['labels']}" if end["identity"] else ""
    return f"{click.style(end['name'], bold=True)} ({end['address']}{identity})"


def _port(answer: dict[str, Any]) -> str:
    name = answer["protocol"]
    return f"{name} port {answer['port']}" if answer["port"] else name


def _leg(leg: dict[str, Any]) -> Iterator[str]:
    place = click.style(f"node {leg['node']}, {leg['trunk']} at {leg['device']}", bold=True)
    yield f"{place}: {leg['verdict']}, {leg['nanoseconds']} ns"
    for step in leg["steps"]:
        yield from _step(step, leg["trunk"])


def _step(step: dict[str, Any], trunk: str) -> Iterator[str]:
    stage = step["stage"] if step["trunk"] == trunk else f"{step['trunk']} {step['stage']}"
    verdict = click.style(f"{step['verdict']:8}", fg=_VERDICTS.get(step["verdict"]))
    yield f"  {stage:14} {step['plugin']:8} {verdict} {step['nanoseconds']:5} ns  {step['words']}"
    for found in step["lookups"]:
        yield f"{_INDENT}{found['map']} {found['key']}: {found['row']}"
        if found["expected"]:
            wrong = f"but there should be: {found['expected']}"
            yield _INDENT + "  " + click.style(wrong, fg="yellow")
    for policy in [step["rule"]] if step["rule"] else step["policies"]:
        yield f"{_INDENT}{policy.get('rule', policy['policy'])} at {policy['place']}"


def _refusal(refusal: dict[str, Any]) -> Iterator[str]:
    by = f"stage {refusal['stage']} of {refusal['plugin']}" if refusal["stage"] else "core's trunk"
    yield f"  by {by}: {refusal['reason']['text']}"
    yield f"  {refusal['words']}"
