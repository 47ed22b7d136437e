# SPDX-License-Identifier: Apache-2.0
"""Attach programs to the kernel's hooks, replace them in place, and notice who else is there.

A link is pinned, so that the program stays when the agent goes, and is found again by the next one.
Below kernel 6.6 tc has no links: there it is a clsact filter of fixed handle and priority.
"""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from attrs import define, field, frozen

from axoneme._bpf import ffi, lib
from axoneme.errors import AttachError

from ._grace import expedited_grace_periods
from ._kernel import libbpf_messages, link_info, program_info, program_name
from .pins import open_pin, pin

if TYPE_CHECKING:
    from pathlib import Path

    from .pins import Pins

_HANDLE = 1
_PRIORITY = 1
_MOST_PROGRAMS = 64
#: BPF_CGROUP_... of each socket trunk.
_CGROUP_TYPES = {
    "bind4": lib.BPF_CGROUP_INET4_BIND,
    "bind6": lib.BPF_CGROUP_INET6_BIND,
    "connect4": lib.BPF_CGROUP_INET4_CONNECT,
    "connect6": lib.BPF_CGROUP_INET6_CONNECT,
    "sendmsg4": lib.BPF_CGROUP_UDP4_SENDMSG,
    "sendmsg6": lib.BPF_CGROUP_UDP6_SENDMSG,
    "recvmsg4": lib.BPF_CGROUP_UDP4_RECVMSG,
    "recvmsg6": lib.BPF_CGROUP_UDP6_RECVMSG,
    "getpeername4": lib.BPF_CGROUP_INET4_GETPEERNAME,
    "getpeername6": lib.BPF_CGROUP_INET6_GETPEERNAME,
}
_EGRESS = frozenset({"to_pod", "to_uplink", "to_overlay"})
_RAW_TRACEPOINT = ("raw_tp/", "raw_tracepoint/")


@frozen
class Drift:
    """An attachment that is not as it should be: what is wrong, and who is there now."""

    attach_point: str
    problem: str
    present: tuple[str, ...] = ()

    def __str__(self) -> str:
        others = f"; there now: {', '.join(self.present)}" if self.present else ""
        return f"{self.attach_point}: {self.problem}{others}"


class Attachment(Protocol):
    """One program at one place."""

    trunk: str

    @property
    def attach_point(self) -> str:
        """The place, for people: "from_pod on axn3 (tcx ingress)"."""
        ...

    @property
    def pin_name(self) -> str:
        """The name of its pin among the links, or nothing."""
        ...

    def attach(self, program: int) -> None:
        """Put a program there, in place of ours if one is there already."""
        ...

    def detach(self) -> None:
        """Take ours away; nothing happens if it is gone."""
        ...

    def drift(self) -> Drift | None:
        """What differs from what attach() left."""
        ...

    def repin(self) -> bool:
        """Pin it again, if somebody has removed the pin; whether that was so."""
        ...

    def close(self) -> None:
        """Let go; what is attached stays."""
        ...


def _refused(attach_point: str, code: int, hint: str) -> AttachError:
    return AttachError(hint, attach_point=attach_point, errno=-code)


def _describe(program_id: int) -> str:
    return f"program {program_id} ({program_name(program_id) or 'gone'})"


@define
class _Linked(ABC):
    """What is common to attachments that are links: the pin, and replacing in place."""

    pins: Pins
    trunk: str
    _link: int = field(default=-1, init=False)
    _program_id: int = field(default=0, init=False)

    @property
    @abstractmethod
    def attach_point(self) -> str:
        """The place, for people."""

    @property
    @abstractmethod
    def pin_name(self) -> str:
        """The name of its pin among the links."""

    @property
    def _path(self) -> Path:
        return self.pins.links / self.pin_name

    @abstractmethod
    def _create(self, program: int) -> int:
        """A new link, or -errno."""

    @abstractmethod
    def _alive(self) -> bool:
        """Whether the link still is at its place."""

    def attach(self, program: int) -> None:
        self._find()
        if self._link >= 0:
            code = lib.axn_link_update(self._link, program)
            if code < 0:
                raise _refused(self.attach_point, code, "the link cannot be updated")
        else:
            self._link = self._make(program)
        self._program_id = program_info(program).id

    def _make(self, program: int) -> int:
        """A new link, pinned."""
        link = self._create(program)
        if link < 0:
            raise _refused(self.attach_point, link, "cannot attach")
        try:
            pin(link, self._path)
        except OSError as error:
            os.close(link)
            number = error.errno or 0
            raise _refused(self.attach_point, -number, f"cannot pin {self._path}") from error
        return link

    def _find(self) -> None:
        """The link that an earlier agent pinned; a dead one is removed."""
        if self._link < 0 and self._path.exists():
            self._link = open_pin(self._path)
        if self._link >= 0 and not self._alive():
            self._path.unlink(missing_ok=True)
            self.close()

    def detach(self) -> None:
        self._find()
        if self._link >= 0:
            self._remove()
            self._path.unlink(missing_ok=True)
            self.close()

    def _remove(self) -> None:
        lib.bpf_link_detach(self._link)

    def drift(self) -> Drift | None:
        if self._link < 0 or not self._alive():
            return Drift(self.attach_point, "our program was detached", self._present())
        found = link_info(self._link).program_id
        if found != self._program_id:
            return Drift(self.attach_point, f"our link runs {_describe(found)}")
        return None

    def repin(self) -> bool:
        if self._link < 0 or self._path.exists():
            return False
        pin(self._link, self._path)
        return True

    def _present(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        if self._link >= 0:
            os.close(self._link)
            self._link = -1


@define
class TcxAttachment(_Linked):
    """tc by a tcx link, before all others that are there."""

    ifindex: int = field(kw_only=True)
    device: str = field(kw_only=True)

    @property
    def attach_point(self) -> str:
        side = "egress" if self.trunk in _EGRESS else "ingress"
        return f"{self.trunk} on {self.device} (tcx {side})"

    @property
    def _type(self) -> int:
        return int(lib.AXN_TCX_EGRESS if self.trunk in _EGRESS else lib.AXN_TCX_INGRESS)

    @property
    def pin_name(self) -> str:
        return f"{self.trunk}-{self.ifindex}"

    def _create(self, program: int) -> int:
        with expedited_grace_periods():
            code = lib.axn_link_create(program, self.ifindex, self._type, lib.AXN_F_BEFORE, 0, 0)
        return int(code)

    def _remove(self) -> None:
        with expedited_grace_periods():
            super()._remove()

    def _alive(self) -> bool:
        return link_info(self._link).ifindex == self.ifindex

    def _present(self) -> tuple[str, ...]:
        return tuple(_describe(i) for i in self._programs())

    def _programs(self) -> list[int]:
        ids = ffi.new("uint32_t[]", _MOST_PROGRAMS)
        count = ffi.new("uint32_t *", _MOST_PROGRAMS)
        code = lib.axn_prog_query(
            self.ifindex, self._type, 0, ids, ffi.NULL, count, ffi.NULL, ffi.NULL
        )
        return [ids[i] for i in range(count[0])] if code >= 0 else []

    def drift(self) -> Drift | None:
        found = super().drift()
        if found is not None:
            return found
        programs = self._programs()
        if self._program_id in programs[1:]:
            before = programs[: programs.index(self._program_id)]
            names = tuple(_describe(i) for i in before)
            return Drift(self.attach_point, "others run before our program", names)
        return None


@define
class ClsactAttachment:
    """tc by a clsact filter, for kernels without tcx. It stays without the agent, unpinned."""

    trunk: str
    ifindex: int = field(kw_only=True)
    device: str = field(kw_only=True)
    _program_id: int = field(default=0, init=False)
    _ours: bool = field(default=False, init=False)

    @property
    def attach_point(self) -> str:
        side = "egress" if self.trunk in _EGRESS else "ingress"
        return f"{self.trunk} on {self.device} (clsact {side})"

    @property
    def pin_name(self) -> str:
        return ""

    @property
    def _point(self) -> int:
        return int(lib.BPF_TC_EGRESS if self.trunk in _EGRESS else lib.BPF_TC_INGRESS)

    def attach(self, program: int) -> None:
        code = lib.axn_tc_create(self.ifindex, self._point)
        if code not in (0, -errno.EEXIST):
            raise _refused(self.attach_point, code, "cannot make the clsact qdisc")
        if not self._ours:
            self._refuse_foreign()
        code = lib.axn_tc_attach(
            self.ifindex, self._point, program, _HANDLE, _PRIORITY, lib.BPF_TC_F_REPLACE
        )
        if code < 0:
            raise _refused(self.attach_point, code, "cannot attach the filter")
        self._program_id, self._ours = program_info(program).id, True

    def detach(self) -> None:
        """Remove the filter, if it is ours; the qdisc stays, for others may use it."""
        if self._program_id and self._present() == self._program_id:
            lib.axn_tc_detach(self.ifindex, self._point, _HANDLE, _PRIORITY)

    def _refuse_foreign(self) -> None:
        """A filter in our place that no agent of ours left there is not replaced."""
        found = self._present()
        if found and program_name(found) != self.trunk:
            raise AttachError(
                f"{_describe(found)} is a filter of our handle {_HANDLE} and priority {_PRIORITY}: "
                "give it others",
                attach_point=self.attach_point,
            )

    def _present(self) -> int:
        """The program of the filter in our place, 0 if there is none."""
        return _filter_of(self.ifindex, self._point)

    def drift(self) -> Drift | None:
        """What differs: the filter is gone, or runs another program."""
        found = self._present()
        if not found:
            return Drift(self.attach_point, "our filter was removed")
        if found != self._program_id:
            return Drift(self.attach_point, f"our filter runs {_describe(found)}")
        return None

    def repin(self) -> bool:
        """Nothing is pinned."""
        return False

    def close(self) -> None:
        """Nothing is held."""


@define
class XdpAttachment(_Linked):
    """XDP by a link: in the driver where it can, else generic."""

    ifindex: int = field(kw_only=True)
    device: str = field(kw_only=True)
    mode: str = field(default="", init=False)

    @property
    def attach_point(self) -> str:
        return f"{self.trunk} on {self.device} (xdp{' ' + self.mode if self.mode else ''})"

    @property
    def pin_name(self) -> str:
        return f"{self.trunk}-{self.ifindex}"

    def _create(self, program: int) -> int:
        code = -errno.EINVAL
        for mode, flags in (
            ("native", lib.XDP_FLAGS_DRV_MODE),
            ("generic", lib.XDP_FLAGS_SKB_MODE),
        ):
            code = int(lib.axn_link_create(program, self.ifindex, lib.BPF_XDP, flags, 0, 0))
            if code >= 0:
                self.mode = mode
                break
            if code in (-errno.EBUSY, -errno.EEXIST):
                raise self._occupied(code)
        return code

    def _occupied(self, code: int) -> AttachError:
        found = ffi.new("uint32_t *")
        lib.bpf_xdp_query_id(self.ifindex, 0, found)
        return _refused(
            self.attach_point, code, f"{_describe(found[0])} is attached there: remove it first"
        )

    def _alive(self) -> bool:
        return link_info(self._link).ifindex == self.ifindex


@define
class CgroupAttachment(_Linked):
    """A socket trunk on the node's cgroup."""

    cgroup: Path = field(kw_only=True)

    @property
    def attach_point(self) -> str:
        return f"{self.trunk} on {self.cgroup}"

    @property
    def pin_name(self) -> str:
        return f"{self.trunk}-cgroup"

    def _create(self, program: int) -> int:
        try:
            directory = os.open(self.cgroup, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            return -(error.errno or errno.ENOENT)
        try:
            return int(lib.axn_link_create(program, directory, _CGROUP_TYPES[self.trunk], 0, 0, 0))
        finally:
            os.close(directory)

    def _alive(self) -> bool:
        try:
            return link_info(self._link).cgroup_id == self.cgroup.stat().st_ino
        except FileNotFoundError:
            return False


@define
class TracepointAttachment(_Linked):
    """A program that stands alone, at a raw tracepoint. Such a link cannot be updated in place."""

    event: str = field(kw_only=True)

    @property
    def attach_point(self) -> str:
        return f"{self.trunk} on raw tracepoint {self.event}"

    @property
    def pin_name(self) -> str:
        return f"{self.trunk}-{self.event}"

    def attach(self, program: int) -> None:
        """The new program is attached before the old one goes: nothing is missed."""
        before = self._path.with_name(f"{self.pin_name}-before")
        if self._path.exists():
            self._path.rename(before)
        try:
            link = self._make(program)
        except AttachError:
            if before.exists():
                before.rename(self._path)
            raise
        before.unlink(missing_ok=True)
        self.close()
        self._link = link
        self._program_id = program_info(program).id

    def _create(self, program: int) -> int:
        return int(lib.bpf_raw_tracepoint_open(self.event.encode(), program))

    def _alive(self) -> bool:
        return True


def raw_tracepoint(attach: str) -> str:
    """The event of a section such as raw_tp/sched_switch, nothing if it is of another kind."""
    return attach.partition("/")[2] if attach.startswith(_RAW_TRACEPOINT) else ""


def _filter_of(ifindex: int, point: int) -> int:
    found = ffi.new("uint32_t *")
    with libbpf_messages():  # which say that there is none
        code = lib.axn_tc_query(ifindex, point, _HANDLE, _PRIORITY, found)
    return int(found[0]) if code >= 0 else 0


def find_clsact(ifindex: int) -> list[int]:
    """The programs of a device's filters that are where ours would be, whosever they are."""
    found = (_filter_of(ifindex, int(point)) for point in (lib.BPF_TC_INGRESS, lib.BPF_TC_EGRESS))
    return [program for program in found if program]


def remove_clsact(ifindex: int) -> None:
    """Remove a device's clsact qdisc, with all filters that may be there."""
    with libbpf_messages():  # which say that there is none
        lib.axn_tc_destroy(ifindex, lib.BPF_TC_INGRESS | lib.BPF_TC_EGRESS)
