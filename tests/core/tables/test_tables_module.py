# SPDX-License-Identifier: Apache-2.0
"""The compiled module stands alone: libbpf, libelf and zlib are inside."""

from __future__ import annotations

import re
import subprocess

from axoneme import _bpf


def _readelf(option):
    command = ["readelf", "--wide", option, _bpf.__file__]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_module_needs_the_c_library_only():
    """A wheel works where no libbpf is installed."""
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", _readelf("--dynamic"))
    assert {name.split(".")[0] for name in needed} <= {
        "libc",
        "ld-linux-x86-64",
        "ld-linux-aarch64",
    }


def test_the_module_shows_nothing_but_its_entry():
    """Another libbpf in the process is neither disturbed nor used."""
    rows = (line.split() for line in _readelf("--dyn-syms").splitlines())
    shown = [row[7] for row in rows if len(row) == 8 and row[4] == "GLOBAL" and row[6].isdigit()]
    assert shown == ["PyInit__bpf"]


def test_the_module_is_one_for_all_pythons():
    """The stable ABI of Python 3.11 is all that it uses."""
    assert _bpf.__file__.endswith(".abi3.so")
