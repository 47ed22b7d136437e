# SPDX-License-Identifier: Apache-2.0
"""Clean copies of the workspace, and the wheels that are built from them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.prefix, "bin", "uv")
_PYTHON = "/usr/bin/python3"


def uv(*words: str, cwd: Path) -> str:
    """Run uv and return what it printed; its errors are in what is raised."""
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    # Wheels are archives: without a fixed time each build would have its own.
    environment["SOURCE_DATE_EPOCH"] = "1767225600"
    result = subprocess.run(
        [UV, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def checkout(directory: Path) -> Path:
    """A copy of the files that git tracks, as a fresh clone has them."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (source := ROOT / name).is_file():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return directory


def build_wheels(workspace: Path, out: Path) -> Path:
    """Build every distribution of a workspace, and the stranger's against the result alone."""
    uv("build", "--all-packages", "--python", _PYTHON, "--out-dir", str(out), cwd=workspace)
    for example in sorted((workspace / "examples").glob("*/pyproject.toml")):
        # Outside the workspace, as a stranger builds it.
        alone = out.parent / f"{out.name}-{example.parent.name}"
        shutil.copytree(example.parent, alone)
        uv(
            *("build", "--wheel", "--python", _PYTHON, "--find-links", str(out)),
            *("--out-dir", str(out)),
            cwd=alone,
        )
    return out


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of a clean checkout."""
    directory = tmp_path_factory.mktemp("wheels")
    return build_wheels(checkout(directory / "checkout"), directory / "dist")


@pytest.fixture(scope="session")
def fresh(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment outside the checkout, with the wheels installed."""
    environment = tmp_path_factory.mktemp("fresh") / "venv"
    uv("venv", "--python", _PYTHON, str(environment), cwd=environment.parent)
    names = [str(path) for path in sorted(wheels.glob("*.whl"))]
    uv("pip", "install", "--python", str(environment), *names, cwd=environment.parent)
    return environment
