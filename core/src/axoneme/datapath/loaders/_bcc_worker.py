# SPDX-License-Identifier: Apache-2.0
"""Run by /usr/bin/python3, with the standard library and bcc only; never imported by the agent.

In, on standard input: {"name", "text", "pins"}. Out, the last line of standard output:
{"programs": [{"name", "attach"}], "maps": [name]} or {"error", "stage"}. Programs are functions
written with RAW_TRACEPOINT_PROBE(event); everything is pinned in the directory `pins`.
"""

import ctypes
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

_PROBE = re.compile(r"\bRAW_TRACEPOINT_PROBE\((\w+)\)")
_TABLE = re.compile(r"^\s*BPF_\w+\((\w+)", re.MULTILINE)
_KCONFIG = """
#pragma once
#define CONFIG_BPF_SYSCALL 1
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed int s32;
typedef signed long long s64;
typedef _Bool bool;
typedef unsigned long size_t;
typedef unsigned long uintptr_t;
"""


def _headers(directory: str) -> None:
    """BCC wants kernel headers, of which a program that stands alone uses almost nothing."""
    root = Path(directory)
    for name, text in (
        ("include/linux/kconfig.h", _KCONFIG),
        ("include/linux/log2.h", ""),
        ("include/generated/autoconf.h", ""),
        ("include/asm/page.h", ""),
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    system = Path("/usr/include")
    user = root / "include/uapi"
    (user / "linux").mkdir(parents=True)
    for header in (system / "linux").iterdir():
        if header.name != "bpf.h":
            (user / "linux" / header.name).symlink_to(header)
    (user / "linux/bpf.h").write_text("")  # BCC brings its own
    (user / "asm").symlink_to(system / f"{os.uname().machine}-linux-gnu/asm")
    (user / "asm-generic").symlink_to(system / "asm-generic")
    os.environ["BCC_KERNEL_SOURCE"] = directory


def _pin(library: Any, fd: int, path: str) -> None:
    if library.bpf_obj_pin(fd, path.encode()) < 0:
        raise OSError(ctypes.get_errno(), f"cannot pin {path}")


def _load(order: dict[str, str]) -> dict[str, Any]:
    try:
        from bcc import BPF, lib
    except ImportError:
        return {"error": "BCC is not installed: apt install python3-bpfcc", "stage": "import"}

    class Module(BPF):  # type: ignore[misc] # it has no types
        def _trace_autoload(self) -> None:
            """Attach nothing: BCC would, and the agent does when all else is in effect."""

    try:
        module = Module(text=order["text"])
    except Exception as error:  # noqa: BLE001 - BCC raises bare ones
        return {"error": f"does not compile ({error})", "stage": "compile"}
    programs = []
    for event in _PROBE.findall(order["text"]):
        name = f"raw_tracepoint__{event}"
        try:
            function = module.load_func(name, BPF.RAW_TRACEPOINT)
        except Exception:  # noqa: BLE001 - as above
            return {"error": name, "stage": "load"}
        _pin(lib, function.fd, f"{order['pins']}/{name}")
        programs.append({"name": name, "attach": f"raw_tp/{event}"})
    maps = _TABLE.findall(order["text"])
    for name in maps:
        _pin(lib, module[name].map_fd, f"{order['pins']}/{name}")
    return {"programs": programs, "maps": maps}


def main() -> None:
    order = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as headers:
        _headers(headers)
        answer = _load(order)
    print(json.dumps(answer))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
