# SPDX-License-Identifier: Apache-2.0
"""A node on a machine of several: its namespaces, and the settings that a node's kernel needs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from axoneme.net._errors import NetworkError
from axoneme.net._sysctl import write_sysctl
from axoneme.net.namespaces import (
    CLONE_FS,
    CLONE_NEWNET,
    CLONE_NEWNS,
    MS_PRIVATE,
    MS_REC,
    mount,
    unshare,
)

BPFFS: Final = Path("/sys/fs/bpf")
SYSCTLS: Final = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    # A new namespace takes IPv4's settings from the host's, whatever they are there.
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/default/send_redirects": 0,
    # No link-local addresses but those that are asked for, and so no solicitations from them.
    "net/ipv6/conf/default/addr_gen_mode": 1,
}


def enter_new_node(propagation: int = MS_PRIVATE) -> None:
    """Move the calling thread into a node's own network, mounts and bpffs.

    With MS_SLAVE for `propagation`, what is mounted at the host's shared mounts later, such as
    the namespaces of pods, is seen there too.

    Raises:
        NetworkError: there is no place for a bpffs, or a setting is missing.
    """
    unshare(CLONE_FS | CLONE_NEWNS | CLONE_NEWNET)
    mount("none", "/", flags=MS_REC | propagation)
    if not BPFFS.is_dir():
        raise NetworkError(
            f"{BPFFS} does not exist; use a kernel with CONFIG_BPF_SYSCALL, and /sys"
        )
    mount("bpf", str(BPFFS), "bpf")
    for name, value in SYSCTLS.items():
        write_sysctl(name, value)
