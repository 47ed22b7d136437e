# SPDX-License-Identifier: Apache-2.0
"""An author's environment: core, its own plugins and the SDK, and none of the examples."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from axoneme.testing import scaled

ROOT = Path(__file__).parents[2]
_SECONDS = 120
#: What an author calls, beside python.
_COMMANDS = ("axoneme", "pytest", "uv")


class Author:
    """A directory to work in, and an environment of its own with what this one has.

    Nothing is fetched: packages are links to this environment's. The author installs into the
    copy, and what is installed here as an example is not there.
    """

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.home.mkdir()
        self._venv = directory / "venv"
        venv.EnvBuilder(symlinks=True).create(self._venv)
        self._link_packages()
        self._copy_commands()

    def run(self, command: str, *, cwd: Path | None = None) -> str:
        """Run a command of a shell, and return what it printed; it must succeed."""
        result = self.attempt(command, cwd=cwd)
        assert result.returncode == 0, f"{command}:\n{result.stdout}"
        return result.stdout

    def attempt(self, command: str, *, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command of a shell, whatever comes of it; its errors are in what it printed."""
        return subprocess.run(
            ["/bin/bash", "-e", "-c", command],
            cwd=cwd or self.home,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=scaled(_SECONDS),
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHON", "UV"))}
        path = f"{self._venv / 'bin'}:{kept['PATH']}"
        return kept | {
            "COLUMNS": "120",
            "NO_COLOR": "1",
            "PATH": path,
            "PYTHONDONTWRITEBYTECODE": "1",
            "UV_NO_CONFIG": "1",
            "UV_OFFLINE": "1",
            "VIRTUAL_ENV": str(self._venv),
        }

    def _link_packages(self) -> None:
        source = Path(sysconfig.get_path("purelib"))
        target = self._venv / source.relative_to(sys.prefix)
        examples = [p.parent.name.replace("-", "_") for p in ROOT.glob("examples/*/pyproject.toml")]
        for entry in source.iterdir():
            if any(name in entry.name for name in examples):
                continue
            if entry.suffix == ".dist-info":  # uv does not look behind links for these
                shutil.copytree(entry, target / entry.name)
            else:
                (target / entry.name).symlink_to(entry)

    def _copy_commands(self) -> None:
        for name in _COMMANDS:
            content = Path(sys.prefix, "bin", name).read_bytes()
            target = self._venv / "bin" / name
            if content.startswith(b"#!"):
                _, _, rest = content.partition(b"\n")
                content = f"#!{self._venv}/bin/python\n".encode() + rest
            target.write_bytes(content)
            target.chmod(0o755)
