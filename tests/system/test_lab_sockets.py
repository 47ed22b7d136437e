# SPDX-License-Identifier: Apache-2.0
"""Programs at a node's sockets meet the sockets of that node, and of nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from axoneme.lab import Lab, Settings
from axoneme.testing import scaled

PORT = 9999
PLUGIN = f'''
from axoneme import hookimpl
from axoneme.testing.objects import plugin_object

SOURCE = """
    #include <axoneme/plugin.h>
    AXN_SOCKET_STAGE(sock_bind)
    {{
        return call->port == bpf_htons({PORT}) ? AXN_DROP : AXN_NEXT;
    }}
    AXN_SOCKET_STAGE(sock_balance)
    {{
        return call->port == bpf_htons({PORT}) ? AXN_DROP : AXN_NEXT;
    }}
"""


@hookimpl
def axoneme_objects():
    return [plugin_object(SOURCE, "refuse")]
'''
#: 3 means not permitted, 0 that it was done, or that nobody was there who could have refused.
BIND = f"""
import socket, sys
kind, family = getattr(socket, sys.argv[2]), getattr(socket, sys.argv[3])
address = "127.0.0.1" if family == socket.AF_INET else "::1"
with socket.socket(family, kind) as one:
    try:
        getattr(one, sys.argv[1])((address, {PORT}))
    except PermissionError:
        sys.exit(3)
    except ConnectionRefusedError:
        pass
"""
WAYS = [
    (call, kind, family)
    for call in ("bind", "connect")
    for kind in ("SOCK_STREAM", "SOCK_DGRAM")
    for family in ("AF_INET", "AF_INET6")
]


def install_plugin(directory):
    """Write a plugin as an installer would: a module, and what says that it is a plugin."""
    (directory / "axoneme_refuse.py").write_text(PLUGIN)
    info = directory / "axoneme_refuse-1.0.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: axoneme-refuse", "Version: 1.0"]
    lines.append(f"Requires-Dist: axoneme=={version('axoneme')}")
    (info / "METADATA").write_text("\n".join([*lines, ""]))
    (info / "entry_points.txt").write_text("[axoneme.plugins]\nrefuse = axoneme_refuse\n")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Two nodes, and on the first of them a plugin that refuses a port."""
    lab = Lab(f"s{os.getpid()}")
    directory = tmp_path_factory.mktemp("refuse")
    install_plugin(directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(directory))
        lab.up(Settings(nodes=2, plugins=()))
    try:
        enable(lab.nodes[0])
        yield lab
    finally:
        lab.down()


def enable(node):
    """Put the plugin in effect on a node."""
    text = node.config.read_text()
    node.config.write_text(text.replace("plugins = []", 'plugins = ["refuse"]'))
    node.ask("reload")
    (row,) = (r for r in node.ask("status")["plugins"] if r["name"] == "refuse")
    assert row["status"] == "on", row["reason"]


def refused(place, *way):
    """Whether a process there may not have the port; without a place, one of the tests' own."""
    words = [sys.executable, "-c", BIND, *way]
    line = place.command(words) if place else words
    code = subprocess.run(line, check=False, timeout=scaled(20)).returncode
    assert code in {0, 3}
    return code == 3


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_only_the_nodes_own_sockets_are_refused(lab, way):
    """Not those of the other node, of the outside, nor of the host."""
    one, two = lab.nodes
    assert refused(one.place, *way)
    for other in (two.place, lab.outside, None):
        assert not refused(other, *way)


def test_a_socket_of_the_host_that_enters_the_nodes_network_is_the_hosts(lab):
    """The cgroup decides, which the host has not left: so probes of tools are not met either."""
    one = lab.nodes[0]
    words = ["nsenter", f"--net={one.place.network}", sys.executable, "-c", BIND, *WAYS[0]]
    assert subprocess.run(words, check=False).returncode == 0
