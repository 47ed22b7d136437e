# SPDX-License-Identifier: Apache-2.0
"""Runs pytest on Debian's kernels: python -m tests.kernels [--kernel 6.1] [-- ARGS]."""

from __future__ import annotations

import argparse
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from . import machine, report
from .errors import GuestError, ResultsError, SetupError
from .packages import METAPACKAGES
from .prepare import prepare
from .results import read_results

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .prepare import Kernel

TIME_SCALE = 20  # how much slower than the host emulation may be

#: uv leaves compiling to the first import, which costs a guest seconds each time.
COMPILE = """
import compileall, sys, sysconfig
for folder in sys.path[1:]:
    if not folder.startswith(sysconfig.get_path("stdlib")):
        compileall.compile_dir(folder, quiet=2)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests on each kernel, report, and give the exit code."""
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        machine.require_qemu()
        host = _read_host(options.host_results) if options.host_results else []
        kernels = [prepare(series) for series in options.kernel or METAPACKAGES]
        subprocess.run([options.python, "-c", COMPILE], check=False)
        guests = _run_all(kernels, options)
    except (SetupError, ResultsError) as error:
        print(f"kernels: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    faults = report.faults([*host, *guests])
    print("", report.table([*host, *guests]), "", *faults, report.totals(guests), sep="\n")
    return 1 if faults else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kernels", description=__doc__)
    parser.add_argument(
        "--kernel",
        action="append",
        choices=METAPACKAGES,
        help="a kernel to boot; may be given several times (default: all)",
    )
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="the Python that runs pytest in the guest (default: this one)",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=900,
        metavar="SECONDS",
        help="what one kernel may take (default: %(default)s)",
    )
    parser.add_argument(
        "--host-results",
        type=Path,
        metavar="FILE",
        help="JUnit XML of a run on the host's own kernel, for a column in the table",
    )
    parser.add_argument("pytest", nargs="*", metavar="-- ARGS", help="arguments for pytest")
    return parser.parse_args(arguments)


def _read_host(results: Path) -> list[report.Run]:
    release = ".".join(platform.release().split(".")[:2])
    return [report.Run(f"host {release}", read_results(results))]


def _run_all(kernels: Sequence[Kernel], options: argparse.Namespace) -> list[report.Run]:
    """Emulation keeps one core busy, so the guests run beside each other."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(kernels)) as pool:
        try:
            runs = [pool.submit(_run, kernel, options, stop) for kernel in kernels]
            return [run.result() for run in runs]
        finally:
            stop.set()


def _printer(series: str) -> Callable[[bytes], None]:
    """Prints whole lines, each behind the name of its kernel; an end is told by no bytes."""
    rest = bytearray()

    def write(data: bytes) -> None:
        rest.extend(data)
        lines = rest.splitlines(keepends=True)
        rest.clear()
        if lines and data and not lines[-1].endswith(b"\n"):
            rest.extend(lines.pop())
        text = b"".join(lines).decode(errors="replace")
        for line in text.splitlines():
            print(f"{series:>5} | {line}", flush=True)

    return write


def _run(kernel: Kernel, options: argparse.Namespace, stop: threading.Event) -> report.Run:
    watch = machine.Watch(_printer(kernel.series), options.timeout, stop)
    print(f"kernels: {kernel.series} ({kernel.package})", flush=True)
    with tempfile.TemporaryDirectory(prefix="axoneme-kernels-") as folder:
        share = Path(folder)
        results = share / "results.xml"
        command = _pytest_command(options.python, results, options.pytest)
        try:
            exit_code = machine.run(kernel, share, command, watch)
        except GuestError as error:
            return report.Run(kernel.series, problem=str(error))
        # pytest leaves no results if it did not understand its arguments.
        return report.judge(
            kernel.series, read_results(results) if results.exists() else (), exit_code
        )


def _pytest_command(python: str, results: Path, arguments: Sequence[str]) -> str:
    bin_folder = Path(python).parent
    environment = {
        "AXONEME_TIME_SCALE": str(TIME_SCALE),
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PATH": f"{bin_folder}:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    # /run is the guest's own memory: the overlay would read each directory from the host.
    options = ["-p", "no:cacheprovider", "--basetemp=/run/pytest"]
    # These two import asyncio and all of hypothesis in each session: 15 s under emulation.
    options += ["-p", "no:anyio", "-p", "no:hypothesispytest"]
    # Of the two families only xunit1 has a place for record_property.
    options += ["-o", "junit_family=xunit1", f"--junit-xml={results}"]
    words = [f"{name}={value}" for name, value in environment.items()]
    words += [python, "-m", "pytest", *options, *arguments]
    return f"cd {shlex.quote(str(Path.cwd()))} && exec env {shlex.join(words)}\n"


if __name__ == "__main__":
    sys.exit(main())
