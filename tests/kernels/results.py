# SPDX-License-Identifier: Apache-2.0
"""Reads the JUnit XML that pytest wrote: one result a test, with its plugin, loader and feature."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from .errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: How a test that needs a feature says that the kernel has none: the text of its skip.
LACKS = re.compile(r"kernel lacks ([\w./+-]*\w)")


class Outcome(Enum):
    """What became of a test."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """One test on one kernel."""

    test: str
    plugin: str
    loader: str
    outcome: Outcome
    reason: str = ""  # of a skip: the missing feature's name, or the skip's own words


def read_results(path: Path) -> tuple[Result, ...]:
    """Read every test of a result file."""
    try:
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError) as error:
        raise ResultsError(f"{path} holds no test results: {error}") from error
    return tuple(_read_all(root))


def _read_all(root: ET.Element) -> Iterator[Result]:
    for case in root.iter("testcase"):
        properties = {p.get("name"): p.get("value", "") for p in case.iter("property")}
        outcome, reason = _read_outcome(case)
        yield Result(
            test=f"{case.get('classname')}::{case.get('name')}",
            plugin=properties.get("plugin", "core"),
            loader=properties.get("loader", "libbpf"),
            outcome=outcome,
            reason=reason,
        )


def _read_outcome(case: ET.Element) -> tuple[Outcome, str]:
    # A test that passed and was then torn down with an error has an error alone.
    if case.find("failure") is not None or case.find("error") is not None:
        return Outcome.FAILED, ""
    skipped = case.find("skipped")
    if skipped is None:
        return Outcome.PASSED, ""
    return Outcome.SKIPPED, _read_reason(skipped)


def _read_reason(skipped: ET.Element) -> str:
    message = skipped.get("message", "")
    # A whole module that is skipped has its reason in the text, not in the message.
    found = LACKS.search(message) or LACKS.search(skipped.text or "")
    return found[1] if found else message
