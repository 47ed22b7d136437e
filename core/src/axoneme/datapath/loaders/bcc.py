# SPDX-License-Identifier: Apache-2.0
"""The second loader: BCC, which compiles C on the node, for programs that stand alone.

Its front end keeps LLVM's memory for as long as its process lives and belongs to the system's own
python3, so it runs in a worker that pins what it loaded and ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axoneme._bpf import lib
from axoneme.datapath._kernel import check, program_info
from axoneme.errors import DatapathError, VerifierError

from .base import LoadedMap, LoadedObject, LoadedProgram, close_all

if TYPE_CHECKING:
    from .base import LoadRequest

_PYTHON = "/usr/bin/python3"
_SECONDS = 60.0


class BccLoader:
    """Loads C text."""

    name = "bcc"

    def __init__(self, bpffs: Path = Path("/sys/fs/bpf")) -> None:
        self._bpffs = bpffs

    def load(self, request: LoadRequest) -> LoadedObject:
        """Compile and load C text in the worker.

        Raises:
            VerifierError: the kernel refused a program.
            DatapathError: the text does not compile, or BCC is not installed.
        """
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="axoneme-bcc-", dir=self._bpffs) as pins:
            answer = _run_worker(request, pins)
            fds: list[int] = []
            try:
                programs = {p["name"]: _open_program(pins, p, fds) for p in answer["programs"]}
                maps = {name: LoadedMap(name, _open(pins, name, fds)) for name in answer["maps"]}
            except BaseException:
                close_all(fds)
                raise
        seconds = time.perf_counter() - started
        return LoadedObject(programs, maps, seconds, lambda: close_all(fds))


def _run_worker(request: LoadRequest, pins: str) -> dict[str, Any]:
    order = {"name": request.name, "text": request.data.decode(), "pins": pins}
    worker = files("axoneme.datapath.loaders") / "_bcc_worker.py"
    scale = float(os.environ.get("AXONEME_TIME_SCALE", "1"))
    with as_file(worker) as path:
        try:
            result = subprocess.run(
                [_PYTHON, "-I", str(path)],
                input=json.dumps(order),
                capture_output=True,
                text=True,
                timeout=_SECONDS * scale,
                check=False,
            )
        except FileNotFoundError as error:
            raise DatapathError(f"{_PYTHON} was not found, and BCC runs under it") from error
        except subprocess.TimeoutExpired as error:
            raise DatapathError(f"{request.name}: BCC did not end in {error.timeout} s") from error
    return _answer(request.name, result)


def _answer(name: str, result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        tail = "\n".join(result.stderr.splitlines()[-20:])
        raise DatapathError(f"{name}: the BCC worker failed:\n{tail}") from None
    problem = answer.get("error")
    if problem is None:
        return answer
    log = tuple(line for line in result.stderr.splitlines() if line.strip())
    if answer.get("stage") == "load":
        raise VerifierError(f"the kernel refuses {problem} of {name}", trunk=problem, log=log)
    raise DatapathError("\n".join((f"{name}: {problem}", *log[-20:])))


def _open(pins: str, name: str, fds: list[int]) -> int:
    path = Path(pins, name)
    fds.append(check(lib.bpf_obj_get(bytes(path))))
    path.unlink()
    return fds[-1]


def _open_program(pins: str, program: dict[str, str], fds: list[int]) -> LoadedProgram:
    fd = _open(pins, program["name"], fds)
    info = program_info(fd)
    return LoadedProgram(
        program["name"], fd, program["attach"], info.verified_insns, 0, "", info.jited_size
    )
