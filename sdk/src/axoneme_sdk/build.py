# SPDX-License-Identifier: Apache-2.0
"""Build the eBPF part of one package: objects, checks, codec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .btf import BtfError
from .checks import check
from .codec import generate
from .compile import SUFFIX, BuildError, compile_object
from .declarations import Declarations
from .elf import ElfError

if TYPE_CHECKING:
    from pathlib import Path

CODEC = "_codec.py"


def build_package(package: Path) -> list[Path]:
    """Compile and check <package>/bpf/*.bpf.c, write <package>/_codec.py; what was written.

    Raises:
        BuildError: a source does not compile, or objects break the rules; all are named.
    """
    plugin = package.name.removeprefix("axoneme_")
    sources = sorted(package.glob(f"bpf/*{SUFFIX}"))
    if not sources:
        raise BuildError(f"{package.name}/bpf has no *{SUFFIX}")
    built, objects, problems = [], [], []
    for source in sources:
        built.append(compile_object(source))
        try:
            objects.append(Declarations.read(built[-1].read_bytes()))
        except (BtfError, ElfError) as error:
            problems.append(f"{source.name}: {error}")
            continue
        problems += [f"{source.name}: {problem}" for problem in check(objects[-1], plugin)]
    if problems:
        raise BuildError("\n".join(problems))
    codec = package / CODEC
    generate(objects, f"{package.name}._codec", codec)
    return [*built, codec]
