# SPDX-License-Identifier: Apache-2.0
"""The real agent, on a node of the test kit, as large as it is by default."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.bench.processes import URGENT
from tests.bench.results import BenchError

from axoneme.testing.agents import AgentProcess

if TYPE_CHECKING:
    from tests.system.runtimes import Answer, Container, Runtime

    from axoneme.testing import Node

#: About what the default part of the memory of a machine with 16 GiB gives.
_CONNTRACK = 1 << 18


class BenchAgent(AgentProcess):
    """An agent with plugins/tc that takes addresses out of its node's networks.

    `manifests` is its directory of them, what it writes is in `log`; `keys` are more of [agent].
    """

    def __init__(self, node: Node, directory: Path, keys: str = "") -> None:
        super().__init__(node, directory)
        own = ", ".join(f'"{address}"' for address in node.addresses)
        self.configure(
            ["tc"],
            f'bpffs = "{node.bpffs}"\ncgroup = "{node.cgroup}"\n'
            f"node-addresses = [{own}]\n{keys}[agent.map-entries]\nconntrack = {_CONNTRACK}\n",
            networks=node.pod_networks,
        )

    def start(self) -> Self:
        """Start the process as before, and let others on the machine hold it up less."""
        super().start()
        assert self.process is not None
        os.setpriority(os.PRIO_PROCESS, self.process.pid, URGENT)
        return self

    def resident(self) -> float:
        """Megabytes of memory of the agent's process that are resident, its libraries' included.

        The maps of the kernel are not in it.
        """
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "VmRSS":
                return int(value.split()[0]) * 1024 / 1e6
        raise BenchError("the agent has ended")

    def write_manifest(self, name: str, text: str) -> int:
        """Make or replace a manifest; CLOCK_MONOTONIC in ns, just before it took its name."""
        draft = self.manifests / f".{name}"
        draft.write_text(text)
        before = time.monotonic_ns()
        draft.replace(self.manifests / name)
        return before


def call_cni(runtime: Runtime, command: str, container: Container, app: str = "app") -> Answer:
    """Start the executable for a pod in the namespace `shop`, with a label `app`; it must work."""
    answer = runtime.run(
        command,
        container,
        args=f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME={container.id}",
        config={"args": {"cni": {"labels": [{"key": "app", "value": app}]}}},
    )
    if answer.code:
        raise BenchError(f"{command} failed: {answer.document}")
    return answer
