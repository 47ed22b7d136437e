# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks, prints a table and writes build/bench.json: python -m tests.bench.

Every module bench_<name>.py beside this one has run(), which returns its rows.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from subprocess import SubprocessError
from typing import TYPE_CHECKING

import click
from tests.bench import machine
from tests.bench.measure import QUICK
from tests.bench.results import BenchError

from axoneme.cli.rows import table
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.results import Result

    from axoneme.cli.rows import Columns, Row

OUT = Path("build/bench.json")
_PREFIX = "bench_"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, report, and give the exit code: 1 if a goal was missed, 2 if a benchmark failed."""
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if options.quick:
        os.environ[QUICK] = "1"
    before = machine.describe()
    results: list[Result] = []
    failures: dict[str, str] = {}
    for name in options.only or _names():
        try:
            results += _run(name)
        except (BenchError, AxonemeError, OSError, SubprocessError) as error:
            failures[name] = f"{type(error).__name__}: {error}"
            print(f"failed: {failures[name]}", file=sys.stderr)
    rows = [result.as_json() for result in results]
    for line in table(rows, _COLUMNS, {"MET": _met_ink}):
        click.echo(line)
    report = {
        "machine": before | {"load_after": machine.load()},
        "quick": options.quick,
        "results": rows,
        "failures": failures,
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2) + "\n")
    missed = [result for result in results if result.met is False]
    print(f"{OUT}: {len(missed)} of {sum(r.met is not None for r in results)} goals missed")
    if failures:
        return 2
    return 1 if missed and not options.quick else 0


def _names() -> list[str]:
    here = Path(__file__).parent
    return sorted(path.stem.removeprefix(_PREFIX) for path in here.glob(f"{_PREFIX}*.py"))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=_names(), help="run this one; may be given again"
    )
    parser.add_argument("--quick", action="store_true", help="fewer turns, to see that it runs")
    return parser.parse_args(arguments)


def _run(name: str) -> list[Result]:
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    started = time.monotonic()
    results: list[Result] = import_module(f"tests.bench.{_PREFIX}{name}").run()
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return results


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


def _goal(row: Row) -> str:
    if row["goal"] is None:
        return ""
    return f"{'at least' if row['at_least'] else 'at most'} {_number(row['goal'])}"


def _met_ink(row: Row, text: str) -> str:
    return click.style(text, fg={None: None, True: "green", False: "red"}[row["met"]])


_COLUMNS: Columns = {
    "WHAT": "name",
    "VALUE": lambda row: f"{_number(row['value']):>10}",
    "UNIT": "unit",
    "GOAL": _goal,
    "MET": "met",
}


if __name__ == "__main__":
    sys.exit(main())
