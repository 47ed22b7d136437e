# SPDX-License-Identifier: Apache-2.0
"""The executable and the network's configuration, put where a runtime looks for them."""

from __future__ import annotations

import json
import os
import shutil
from importlib.resources import files
from pathlib import Path

from axoneme.cni import executable
from axoneme.errors import AxonemeError

NAME = "axoneme-cni"
CONFIG = "05-axoneme.conflist"
_PYTHON = "/usr/bin/python3"
_OLDEST = "0.4.0"


def install(
    bin_dir: Path,
    conf_dir: Path,
    *,
    run_dir: Path = Path(executable.RUN_DIR),
    python: str = _PYTHON,
    network: str = "axoneme",
) -> tuple[Path, Path]:
    """Write the executable and the configuration, each in one step; where they are.

    The configuration comes last: a runtime takes it as the sign that pods can be made.

    Raises:
        AxonemeError: there is no such Python, or a directory cannot be written.
    """
    if shutil.which(python) is None:
        raise AxonemeError(f"there is no {python} to run the executable; name one by --python")
    document = {
        # Runtimes that know the list take the newest of it that they know; others refuse a
        # version that is newer than they are.
        "cniVersion": _OLDEST,
        "cniVersions": executable.VERSIONS[executable.VERSIONS.index(_OLDEST) :],
        "name": network,
        # What it can do beside: only then a runtime hands on more than one address of a pod.
        "plugins": [{"type": NAME, "capabilities": {"ips": True}}],
    }
    try:
        program = _put(bin_dir / NAME, executable_text(run_dir, python), 0o755)
        config = _put(conf_dir / CONFIG, json.dumps(document, indent=2) + "\n", 0o644)
    except OSError as error:
        raise AxonemeError(f"cannot install the CNI plugin: {error}") from error
    return program, config


def executable_text(run_dir: Path, python: str = _PYTHON) -> str:
    """The executable for an agent with this run directory."""
    text = files("axoneme.cni").joinpath("executable.py").read_text()
    before, line, behind = text.partition(f'RUN_DIR = "{executable.RUN_DIR}"\n')
    assert line
    # -I: nothing of the caller's environment; -S: no site-packages, which take time.
    return f"#!{python} -IS\n{before}{_line(run_dir)}\n{behind}"


def _put(path: Path, text: str, mode: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.chmod(mode)
    draft.replace(path)
    return path


def uninstall(bin_dir: Path, conf_dir: Path, *, run_dir: Path) -> list[str]:
    """Remove what `install` wrote for the agent of this run directory; which files these were.

    Another node of the machine may have written there: what is another agent's stays.

    Raises:
        AxonemeError: a file cannot be removed.
    """
    program, config = bin_dir / NAME, conf_dir / CONFIG
    own = _text(program)
    if own and _line(run_dir) not in own.splitlines():
        return []
    try:
        # The configuration goes first: without the executable it would be a network that fails.
        return [str(path) for path in (config, program) if _remove(path)]
    except OSError as error:
        raise AxonemeError(f"cannot remove the CNI plugin: {error}") from error


def _line(run_dir: Path) -> str:
    return f"RUN_DIR = {json.dumps(str(run_dir))}"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _remove(path: Path) -> bool:
    if not path.exists():
        return False
    path.unlink()
    return True
