# SPDX-License-Identifier: Apache-2.0
"""The CNI plugin of a lab's node, called as a container runtime calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from axoneme.cni import install
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from axoneme.lab.node import LabNode
    from axoneme.lab.pods import Pod

_PYTHON = Path("/usr/bin/python3")
_IFNAME = "eth0"


def install_cni(node: LabNode) -> None:
    """Put the executable and its configuration where `run_cni` finds them."""
    python = str(_PYTHON) if _PYTHON.exists() else sys.executable
    install(node.cni_dir / "bin", node.cni_dir / "conf", run_dir=node.run_dir, python=python)


def run_cni(
    node: LabNode, pod: Pod, network: Path, command: Literal["ADD", "DEL", "CHECK"]
) -> dict[str, Any]:
    """Run the executable for a pod; what it printed.

    Raises:
        AxonemeError: it failed, in its own words.
    """
    (path,) = (node.cni_dir / "conf").glob("*.conflist")
    listed = json.loads(path.read_text())
    (plugin,) = listed["plugins"]
    labels = [{"key": key, "value": value} for key, value in pod.labels.items()]
    config = {
        "cniVersion": listed["cniVersion"],
        "name": listed["name"],
        **plugin,
        "args": {"cni": {"labels": labels}},
    }
    words = {
        "K8S_POD_NAMESPACE": pod.namespace,
        "K8S_POD_NAME": pod.name,
        "K8S_POD_INFRA_CONTAINER_ID": pod.container_id,
    }
    environment = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": pod.container_id,
        "CNI_NETNS": str(network),
        "CNI_IFNAME": _IFNAME,
        "CNI_ARGS": ";".join(f"{key}={value}" for key, value in words.items()),
        "CNI_PATH": str(node.cni_dir / "bin"),
    }
    done = subprocess.run(
        node.place.command(
            ["env", *(f"{key}={value}" for key, value in environment.items()), _program(node)],
            directory=node.directory,
        ),
        input=json.dumps(config),
        capture_output=True,
        text=True,
        check=False,
    )
    answer = _decoded(done.stdout)
    if done.returncode:
        text = answer.get("msg") or done.stderr.strip() or f"exit code {done.returncode}"
        details = f" ({answer['details']})" if answer.get("details") else ""
        raise AxonemeError(f"{node.name} cannot {command} pod {pod}: {text}{details}")
    return answer


def _program(node: LabNode) -> str:
    (program,) = (node.cni_dir / "bin").iterdir()
    return str(program)


def _decoded(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text or "{}")
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
