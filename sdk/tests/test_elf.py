# SPDX-License-Identifier: Apache-2.0
"""Objects as ELF files: read, renamed, and refused when they are damaged."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from axoneme_sdk.btf import Btf, BtfError
from axoneme_sdk.declarations import Declarations
from axoneme_sdk.elf import Elf, ElfError


def names(elf):
    """What the object defines for others to see."""
    return {symbol.name for symbol in elf.globals()}


def test_a_name_that_is_the_tail_of_another_is_renamed_alone(rich_object):
    """Clang keeps stage_policy inside mine_stage_policy: the longer name stays as it is."""
    before = Elf(rich_object)
    strings = before.content(".strtab")
    assert strings.count(b"stage_policy\0") == 1
    elf = Elf(rich_object)
    elf.rename("stage_policy", "stage_policy_0")
    again = Elf(bytes(elf.data))
    assert names(again) == names(before) - {"stage_policy"} | {"stage_policy_0"}
    assert "mine_stage_policy" in names(again)


def test_a_rename_changes_no_code(rich_object):
    """Sections other than the names are the same bytes, wherever they lie."""
    before, elf = Elf(rich_object), Elf(rich_object)
    elf.rename("stage_policy", "stage_policy_0")
    after = Elf(bytes(elf.data))
    for section in before.sections:
        if section.name not in {"", ".strtab", ".symtab", ".bss"}:
            assert after.content(section.name) == before.content(section.name), section.name


def test_a_function_can_be_renamed_in_elf_and_btf_together(rich_object):
    """What a loader reads afterwards has one name in both, and its tags."""
    elf = Elf(rich_object)
    elf.rename("stage_policy", "stage_policy_1")
    btf = Btf(elf.content(".BTF")).rename_function("stage_policy", "stage_policy_1")
    elf.replace_section(".BTF", btf)
    (stage,) = Declarations.read(bytes(elf.data)).stages
    assert stage.name == "policy_1"
    assert stage.after == ("tc",)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "not a little-endian ELF64 file"),
        (lambda data: b"#!/bin/sh\n", "not a little-endian ELF64 file"),
        (lambda data: data[:40], "truncated or corrupt"),
        (lambda data: data[: len(data) // 2], "truncated or corrupt"),
        (lambda data: data[:18] + struct.pack("<H", 62) + data[20:], "built for machine 62"),
    ],
    ids=["nothing", "a script", "half a header", "half a file", "another machine"],
)
def test_what_is_no_bpf_object_is_refused(rich_object, damage, message):
    """The sentence says what it is instead."""
    with pytest.raises(ElfError, match=message):
        Declarations.read(damage(rich_object))


def test_an_object_of_this_machine_is_refused():
    """Somebody compiled without -target bpf."""
    with pytest.raises(ElfError, match="not for BPF"):
        Elf(Path(sys.executable).resolve().read_bytes())


def test_an_object_without_btf_says_how_to_compile_it(tmp_path):
    """A plugin's author may have left out -g."""
    import subprocess

    (tmp_path / "x.c").write_text("int x(void *ctx) { return 0; }")
    subprocess.run(["clang", "-target", "bpf", "-c", "x.c"], cwd=tmp_path, check=True)
    with pytest.raises(ElfError, match=r"no section \.BTF; compile with -g"):
        Declarations.read((tmp_path / "x.o").read_bytes())


def test_damaged_btf_is_refused(rich_object):
    """Each cut of the section is an error of ours, never a crash."""
    data = Elf(rich_object).content(".BTF")
    for size in (0, 10, 24, len(data) // 2, len(data) - 1):
        with pytest.raises(BtfError):
            Btf(data[:size])
    with pytest.raises(BtfError, match="not BTF"):
        Btf(bytes(len(data)))
