# SPDX-License-Identifier: Apache-2.0
"""Read the verifier's log: what a load cost, and which function it refused."""

from __future__ import annotations

import re

from attrs import frozen

_TIME = re.compile(r"^verification time (\d+) usec", re.MULTILINE)
_STACK = re.compile(r"^stack depth ([\d+]+)", re.MULTILINE)
_PROCESSED = re.compile(r"^processed (\d+) insns", re.MULTILINE)
_VALIDATING = re.compile(r"^Validating (\S+?)\(\) func#\d+")
_NUMBERS = re.compile(r"^(verification time|stack depth|processed) ")


@frozen
class VerifierStatistics:
    """What the verifier says of an accepted program."""

    instructions: int
    microseconds: int
    stack: str


def read_statistics(log: str) -> VerifierStatistics:
    """The numbers at the end of a log; 0 and nothing where the kernel prints none."""
    processed, time, stack = (p.search(log) for p in (_PROCESSED, _TIME, _STACK))
    return VerifierStatistics(
        int(processed[1]) if processed else 0,
        int(time[1]) if time else 0,
        stack[1] if stack else "",
    )


def refused_function(log: str) -> str | None:
    """The global function that was being verified when the log ends, if it was one.

    Global functions are verified one after another, each behind a line of its own, and after the
    program that calls them; the last such line names the refused one.
    """
    name = None
    for line in log.splitlines():
        if found := _VALIDATING.match(line):
            name = found[1]
        elif "is safe for any args" in line:
            name = None
    return name


def last_words(log: str, lines: int = 12) -> tuple[str, ...]:
    """The end of a log: the instructions that led to the refusal, and the refusal."""
    kept = [line for line in log.splitlines() if line.strip() and not _NUMBERS.match(line)]
    return tuple(kept[-lines:])
