# SPDX-License-Identifier: Apache-2.0
"""Plugins' wheels that were not built beside this core: an older release's, and one of ABI + 1."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import build_wheels, checkout, uv

pytestmark = pytest.mark.timeout(900)

RELEASED = Path(__file__).parent / "released"
TRY = """
import json, sys
from axoneme.testing import Node
from axoneme.testing.pipelines import Pipeline

with Node() as node:
    section = '[portguard]\\nclosed = ["10.1.0.2:8080/tcp"]'
    with Pipeline(node, ["tc", "portguard"], section) as pipeline:
        client, server = pipeline.add_pod(), pipeline.add_pod()
        server.serve(8080)
        server.serve(8081)
        print(json.dumps({
            "status": pipeline.status("portguard"),
            "closed": client.reaches(server.ipv4, 8080, timeout=0.5),
            "open": client.reaches(server.ipv4, 8081),
            "dropped": pipeline.dropped("portguard_closed_port"),
        }))
"""


def try_wheel(wheel: Path, directory: Path) -> dict[str, object]:
    """Install a wheel before all others on the path, and see what it does in today's core."""
    target = directory / "installed"
    words = ["pip", "install", "--no-deps", "--target", str(target), "--python", sys.executable]
    uv(*words, str(wheel), cwd=directory)
    result = subprocess.run(
        [sys.executable, "-c", TRY],
        env={"PYTHONPATH": str(target), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("wheel", sorted(RELEASED.glob("*.whl")), ids=lambda path: path.name)
def test_a_wheel_of_an_older_release_works_with_todays_core(wheel, tmp_path):
    """What a stranger built once goes on closing its port, without being built again."""
    seen = try_wheel(wheel, tmp_path)
    assert seen["status"] == "on"
    assert not seen["closed"]
    assert seen["open"]
    assert seen["dropped"] > 0


def test_there_is_a_wheel_of_each_release():
    """From the first one on."""
    assert (RELEASED / "axoneme_portguard-0.1.0-py3-none-any.whl").exists()


def test_a_wheel_for_the_next_abi_is_refused_and_the_rest_runs(tmp_path):
    """The reason names both numbers and what to do; the port stays open, and the pods talk."""
    workspace = checkout(tmp_path / "checkout")
    header = workspace / "sdk/src/axoneme_sdk/include/axoneme/abi.h"
    text = header.read_text()
    (number,) = re.findall(r"#define AXN_ABI\s+(\d+)", text)
    following = str(int(number) + 1)
    header.write_text(re.sub(r"(#define AXN_ABI\s+)\d+", rf"\g<1>{following}", text))
    for example in (workspace / "examples").glob("*/"):
        if example.name != "axoneme-portguard":
            shutil.rmtree(example)
    (wheel,) = build_wheels(workspace, tmp_path / "dist").glob("axoneme_portguard-*.whl")
    seen = try_wheel(wheel, tmp_path)
    assert str(seen["status"]).startswith("rejected")
    assert f"is built for datapath ABI {following}, and this is ABI {number}" in seen["status"]
    assert "axoneme-sdk" in seen["status"]
    assert seen["closed"]
    assert seen["open"]
