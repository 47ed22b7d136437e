# SPDX-License-Identifier: Apache-2.0
"""A real runtime: podman, with the CNI for its network, makes containers on a node."""

from __future__ import annotations

import json
import shutil
from ipaddress import ip_address
from textwrap import dedent

import pytest
from tests.system.runtimes import CniNode

pytestmark = pytest.mark.skipif(
    shutil.which("podman") is None, reason="podman is not installed: apt install podman"
)

_SERVER = """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("", 9000))
while True:
    data, peer = s.recvfrom(65536)
    s.sendto(data, peer)
"""
_CLIENT = """
import socket, sys
for address in sys.argv[1:]:
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.connect((address, 9000))
    s.send(b"from a container")
    print(s.recv(64).decode())
"""


class Podman:
    """podman with directories of its own, in a node: it ends with the node."""

    def __init__(self, cni: CniNode) -> None:
        self.cni = cni
        self.directory = cni.directory / "podman"
        self._lay_out()
        # crun takes cgroups of one version only, and the node's mounts are its own.
        cni.node.run(["mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"])
        # The cache of the CNI, and what podman writes whatever it is told.
        for path in ("/var/lib", "/run/netns"):
            cni.node.run(["mkdir", "-p", path])
            cni.node.run(["mount", "-t", "tmpfs", "none", path])

    def _lay_out(self) -> None:
        self.root = self.directory / "root"
        for name in ("usr", "proc", "sys", "dev", "etc", "tmp", "run", "var"):
            (self.root / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (self.root / name).symlink_to(f"usr/{name}")
        config = f"""
            [network]
            network_backend = "cni"
            cni_plugin_dirs = ["{self.cni.program.parent}"]
            network_config_dir = "{self.cni.conflist.parent}"
            default_network = "axoneme"
            [engine]
            cgroup_manager = "cgroupfs"
            events_logger = "file"
            tmp_dir = "{self.directory / "tmp"}"
            [containers]
            cgroups = "disabled"
            default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
            volumes = ["/usr:/usr:ro"]
            """
        storage = f"""
            [storage]
            driver = "vfs"
            runroot = "{self.directory / "runroot"}"
            graphroot = "{self.directory / "graphroot"}"
            """
        for name, text in (("containers.conf", config), ("storage.conf", storage)):
            (self.directory / name).write_text(dedent(text))

    def __call__(self, *words: str) -> str:
        """Run podman in the node; what it wrote."""
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.directory),
            "CONTAINERS_CONF": str(self.directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf"),
        }
        return self.cni.node.run(["podman", *words], env=environment, timeout=60).strip()

    def start(self, name: str, *command: str) -> None:
        """Start a container that stays."""
        options = ("-d", "--name", name, "--security-opt", "seccomp=unconfined")
        self("run", *options, "--rootfs", str(self.root), *command)

    def run(self, *command: str) -> str:
        """Run a container to its end; what it wrote."""
        options = ("--rm", "--security-opt", "seccomp=unconfined")
        return self("run", *options, "--rootfs", str(self.root), *command)

    def addresses(self, name: str) -> set[object]:
        """A container's addresses, as podman has them of the CNI."""
        (document,) = json.loads(self("inspect", name))
        (network,) = document["NetworkSettings"]["Networks"].values()
        return {ip_address(network["IPAddress"]), ip_address(network["GlobalIPv6Address"])}


@pytest.fixture
def podman(node, tmp_path):
    """podman on a node that answers."""
    with CniNode(node, tmp_path) as cni:
        yield Podman(cni)


def test_containers_of_podman_talk_and_leave_nothing(podman):
    """podman starts the executable by the installed conflist, and shows what it said."""
    cni = podman.cni
    podman.start("server", "/usr/bin/python3", "-c", _SERVER)
    (endpoint,) = cni.pipeline.datapath.endpoints.values()
    assert podman.addresses("server") == set(endpoint.addresses)
    targets = [str(address) for address in endpoint.addresses]
    said = podman.run("/usr/bin/python3", "-c", _CLIENT, *targets)
    assert said.splitlines() == ["from a container"] * 2
    assert len(cni.links()) == 1
    podman("rm", "-f", "-t", "0", "server")
    assert cni.links() == set()
    assert cni.pool.owners == {}


def test_podman_removes_a_container_while_no_agent_runs(podman):
    """And cannot make one, with our sentence in its own."""
    cni = podman.cni
    podman.start("server", "/usr/bin/sleep", "60")
    cni.stop()
    podman("rm", "-f", "-t", "0", "server")
    assert len(list((cni.run_dir / "cni-queue").iterdir())) == 1
    with pytest.raises(Exception, match=r"returned non-zero") as caught:
        podman.run("/usr/bin/true")
    assert "start axoneme agent" in "".join(caught.value.__notes__)
    cni.start()
    assert cni.links() == set()
    assert cni.pool.owners == {}
