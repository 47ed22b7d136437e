# SPDX-License-Identifier: Apache-2.0
"""Wheels: what is in them, and that they work and are released one by one."""

from __future__ import annotations

import hashlib
import re
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from .conftest import ROOT, build_wheels, checkout

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(900)


def _names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def _hashes(directory: Path) -> dict[str, str]:
    found = {}
    for wheel in sorted(directory.glob("*.whl")):
        found[wheel.name] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return found


def test_a_plugins_wheel_is_pure_python_with_objects_and_codec(wheels):
    """No plugin needs a C compiler, or another wheel for another Python, where it is installed."""
    plugins = [*wheels.glob("axoneme_tc-*.whl"), *wheels.glob("axoneme_portguard-*.whl")]
    assert len(plugins) == 2
    for wheel in plugins:
        names = _names(wheel)
        assert wheel.name.endswith("-py3-none-any.whl")
        assert any(name.endswith(".bpf.o") for name in names)
        assert any(name.endswith("_codec.py") for name in names)
        assert not any(name.endswith(".so") for name in names)


def test_only_core_is_compiled(wheels):
    """One module, for every Python from 3.11 on, that needs no library but the C library."""
    (core,) = wheels.glob("axoneme-0*.whl")
    assert "-cp311-abi3-" in core.name
    (module,) = (name for name in _names(core) if name.endswith(".so"))
    unpacked = zipfile.ZipFile(core).extract(module, wheels / "unpacked")
    needed = re.findall(
        r"NEEDED.*\[(.+?)\]",
        subprocess.run(
            ["readelf", "-d", unpacked], capture_output=True, text=True, check=True
        ).stdout,
    )
    assert {name.split(".")[0] for name in needed} <= {"libc", "ld-linux-x86-64"}


def test_the_demo_runs_from_the_wheels(fresh, tmp_path):
    """What is installed works outside the checkout, and leaves nothing."""
    demo = tmp_path / "demo.py"
    demo.write_bytes((ROOT / "examples" / "demo.py").read_bytes())
    result = subprocess.run(
        [fresh / "bin" / "python", "-I", demo],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 lost" in result.stdout


def test_releasing_one_plugin_changes_no_other_distribution(wheels, tmp_path):
    """A plugin with a new version and new code leaves every other wheel as it is, to the byte."""
    workspace = checkout(tmp_path / "checkout")
    settings = workspace / "plugins" / "tc" / "pyproject.toml"
    settings.write_text(settings.read_text().replace('version = "0.1.0"', 'version = "0.1.1"', 1))
    source = workspace / "plugins" / "tc" / "src" / "axoneme_tc" / "plugin.py"
    source.write_text(source.read_text() + "\n# released\n")
    before, after = _hashes(wheels), _hashes(build_wheels(workspace, tmp_path / "dist"))
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {
        "axoneme_tc-0.1.0-py3-none-any.whl",
        "axoneme_tc-0.1.1-py3-none-any.whl",
    }
