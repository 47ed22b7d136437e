# SPDX-License-Identifier: Apache-2.0
"""Boots a kernel in QEMU over the host's files and watches it until its command has ended."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from . import initramfs
from .errors import GuestError, SetupError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from .prepare import Kernel

QEMU = "qemu-system-x86_64"
SESSION = Path(__file__).parent / "guest" / "session"

BOOT_SECONDS = 90  # a boot takes 3 to 10 s, also on a busy machine
BOOT_ATTEMPTS = 2
DRAIN_SECONDS = 5  # what a finished guest has to send its last output and switch itself off
POLL_SECONDS = 0.2
MEMORY_MIB = 2048

#: Words for the kernel: quick under emulation, dead when it panics, triple fault as reboot.
CMDLINE = (
    "console=ttyS0 loglevel=4 panic=-1 reboot=t mitigations=off nokaslr tsc=reliable "
    "no_timer_check rcupdate.rcu_expedited=1 random.trust_cpu=on cryptomgr.notests audit=0 "
    "lsm= net.ifnames=0 init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off"
)

#: Without what emulation is slow at: page tables of five levels, a switch for each access to user
#: memory, and copies by one instruction, which go byte by byte.
CPU = "max,-la57,-smap,-erms,-fsrm"


@dataclass(frozen=True)
class Watch:
    """Where a guest's output goes, how long it may take, and who may call it off."""

    write: Callable[[bytes], None]
    seconds: float
    stop: threading.Event


def run(kernel: Kernel, share: Path, command: str, watch: Watch) -> int:
    """Run a shell command as root of a guest and give its exit code.

    The share is a directory that the guest sees under the same path and may write.
    """
    (share / "command").write_text(command)
    settings = {"share": share, "modules": kernel.modules, "session": SESSION}
    archive = initramfs.build(
        kernel.module_tree, kernel.busybox, {name: str(path) for name, path in settings.items()}
    )
    (share / "initramfs").write_bytes(archive)
    for _ in range(BOOT_ATTEMPTS):
        fault = _boot(kernel, share, watch)
        if (share / "booted").exists() or watch.stop.is_set():
            break
    code = _read_exit_code(share)
    if code is None:
        raise GuestError("\n".join([f"the guest {fault}; its last words:", *_last_words(share)]))
    return code


def require_qemu() -> None:
    """Refuse to go on without the emulator."""
    if shutil.which(QEMU) is None:
        raise SetupError(f"{QEMU} is missing: apt-get install qemu-system-x86")


def qemu_command(kernel: Kernel, share: Path) -> list[str]:
    """Build the command line; the guest's output appears on qemu's stdout."""
    # setpriv: a run that is killed takes its machine with it. One CPU: with two, every other second
    # goes into flushes and wake-ups between them, and atomic instructions are real ones.
    words = f"setpriv --pdeathsig KILL {QEMU} -nodefaults -no-user-config -display none -no-reboot"
    words += f" -machine q35,usb=off,smbus=off,sata=off -smp 1 -m {MEMORY_MIB}"
    words += f" -accel tcg,tb-size=512 -cpu {CPU}"
    return [
        *words.split(),
        *("-kernel", str(kernel.vmlinux), "-initrd", str(share / "initramfs")),
        *("-append", CMDLINE, "-serial", f"file:{share / 'console.log'}"),
        *("-device", "virtio-serial-pci", "-chardev", "file,id=output,path=/dev/stdout"),
        *("-device", "virtserialport,chardev=output,nr=1"),
        *_shared_folder("host", Path("/"), "readonly=on"),
        *_shared_folder("share", share, "readonly=off"),
    ]


def _shared_folder(tag: str, path: Path, access: str) -> Iterator[str]:
    # remap: the host's / has several devices below, whose inode numbers must not collide.
    yield "-fsdev"
    yield f"local,id={tag},path={path},security_model=none,multidevs=remap,{access}"
    yield "-device"
    yield f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"


def _boot(kernel: Kernel, share: Path, watch: Watch) -> str:
    with (
        (share / "qemu.log").open("wb") as log,
        subprocess.Popen(
            qemu_command(kernel, share),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as qemu,
    ):
        assert qemu.stdout is not None
        try:
            return _watch(qemu.stdout, share, watch)
        finally:
            qemu.kill()


def _watch(output: IO[bytes], share: Path, watch: Watch) -> str:
    """Pass the guest's output on until it ends or is cut off; say why it has no exit code."""
    started = time.monotonic()
    finished: float | None = None
    while _copy(output, watch.write):
        now = time.monotonic()
        if finished is None and _read_exit_code(share) is not None:
            finished = now
        # A process that the tests left running keeps the output open.
        if finished is not None and now > finished + DRAIN_SECONDS:
            break
        if now > started + BOOT_SECONDS and not (share / "booted").exists():
            return f"did not boot within {BOOT_SECONDS} s"
        if now > started + watch.seconds:
            return f"did not end within {watch.seconds:.0f} s"
        if watch.stop.is_set():
            return "was called off"
    return "died"


def _copy(output: IO[bytes], write: Callable[[bytes], None]) -> bool:
    """Pass on what the guest wrote within a moment; false once it can write no more."""
    if not select.select([output], [], [], POLL_SECONDS)[0]:
        return True
    data = os.read(output.fileno(), 65536)
    write(data)
    return bool(data)


def _read_exit_code(share: Path) -> int | None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int((share / "exit-code").read_text())
    return None


def _last_words(share: Path) -> list[str]:
    """Pick the end of the kernel's console and of qemu's messages."""
    logs = [log for log in (share / "console.log", share / "qemu.log") if log.exists()]
    return [
        f"  {line}" for log in logs for line in log.read_text(errors="replace").splitlines()[-30:]
    ]
