# SPDX-License-Identifier: Apache-2.0
"""What is attached now, as the kernel has it: which trunk runs where, and who is linked into it.

A program carries its object's BTF, in which a trunk says its stages and a lane's function whose it
is. So neither an agent nor a plugin is asked.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from axoneme._bpf import lib
from axoneme_sdk.btf import Btf

from ._kernel import btf_bytes, check, link_info, program_info
from .attachments import find_clsact
from .features import supported
from .linker import PLUGIN_TAG
from .pins import Pins, open_pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LANES = 8


@frozen
class Attached:
    """One program at one place. `ifindex` is 0 where the place is no device.

    `stages` has every stage of the trunk in order, with the plugins in its lanes; a program that
    stands alone has none.
    """

    trunk: str
    target: str
    ifindex: int
    program: int
    instructions: int
    jited: int
    stages: Mapping[str, tuple[str, ...]] = field(factory=dict)


def read_attached(bpffs: Path, *, tcx: bool | None = None) -> list[Attached]:
    """Every program of ours that is attached in this network namespace, by place and trunk.

    tcx: whether tc programs are attached by links; by default where the kernel has them.
    """
    kernel, tcx = _Kernel(), supported("tcx") if tcx is None else tcx
    found = [*_by_links(kernel, bpffs), *([] if tcx else _by_filters(kernel))]
    return sorted(found, key=lambda one: (one.ifindex, one.target, one.trunk))


def _by_links(kernel: _Kernel, bpffs: Path) -> Iterator[Attached]:
    links = Pins(bpffs).links
    for path in sorted(links.iterdir()) if links.is_dir() else ():
        fd = open_pin(path)
        try:
            info = link_info(fd)
        finally:
            os.close(fd)
        trunk, _, target = path.name.partition("-")
        if target.isdecimal() and not info.ifindex:
            continue  # its device is gone, or somebody has detached it
        yield kernel.describe(trunk, target, info.ifindex, info.program_id)


def _by_filters(kernel: _Kernel) -> Iterator[Attached]:
    """Below kernel 6.6 tc programs are filters, which have no pins."""
    for ifindex, _ in socket.if_nameindex():
        for program in find_clsact(ifindex):
            trunk = kernel.trunk(program)
            if trunk:
                yield kernel.describe(trunk, str(ifindex), ifindex, program)


@define
class _Kernel:
    """Programs by their ids. All that were loaded as one object have one BTF, read once."""

    _btfs: dict[int, Btf] = field(factory=dict, init=False)

    def describe(self, trunk: str, target: str, ifindex: int, program: int) -> Attached:
        fd = check(lib.bpf_prog_get_fd_by_id(program))
        try:
            info = program_info(fd)
        finally:
            os.close(fd)
        stages = self._stages(info.btf_id, trunk)
        return Attached(
            trunk, target, ifindex, program, info.verified_insns, info.jited_size, stages
        )

    def trunk(self, program: int) -> str:
        """The trunk that a program is, nothing if it is none of ours."""
        fd = check(lib.bpf_prog_get_fd_by_id(program))
        try:
            info = program_info(fd)
        finally:
            os.close(fd)
        return info.name if self._stages(info.btf_id, info.name) else ""

    def _stages(self, btf_id: int, trunk: str) -> dict[str, tuple[str, ...]]:
        if not btf_id:
            return {}
        if btf_id not in self._btfs:
            self._btfs[btf_id] = Btf(btf_bytes(btf_id))
        btf = self._btfs[btf_id]
        if not btf.has("func", trunk):
            return {}
        stages = dict(btf.tags("func", trunk)).get("stages", "").split()
        return {stage: tuple(_plugins(btf, stage)) for stage in stages}


def _plugins(btf: Btf, stage: str) -> Iterator[str]:
    for lane in range(_LANES):
        function = f"stage_{stage}_{lane}"
        if btf.has("func", function):
            plugin = dict(btf.tags("func", function)).get(PLUGIN_TAG)
            if plugin:
                yield plugin
