# SPDX-License-Identifier: Apache-2.0
"""The loader bcc: C text of a plugin, compiled in a worker on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from axoneme import DatapathError, LayoutMismatch, PluginObject
from axoneme.datapath.loaders import bcc

COUNT = """
    BPF_HASH(mine_counts, u32, u64);
    RAW_TRACEPOINT_PROBE(sched_switch)
    {
        mine_counts.increment(0);
        return 0;
    }
"""


@pytest.fixture(autouse=True)
def properties(record_property):
    """For the table of kernels and loaders."""
    record_property("loader", "bcc")


@pytest.fixture
def source(tmp_path):
    """A function that writes C text as an object of a plugin."""

    def write(text):
        path = tmp_path / "mine.c"
        path.write_text(text)
        return PluginObject(path, loader="bcc")

    return write


def read(rig, **formats):
    """The rows of the map of COUNT."""
    table = rig.call(rig.datapath.standalone_map, "mine", "mine_counts", **formats)
    return dict(rig.call(table.read))


def test_the_program_runs_as_long_as_its_plugin_is_on(rig, source):
    """It counts; after the next commit without it, nothing of it is attached."""
    rig.put(mine=source(COUNT))
    first = read(rig, key="I", value="Q")[0]
    rig.call(rig.datapath.counts)
    assert read(rig, key="I", value="Q")[0] > first > 0
    rig.put()
    assert not list(rig.call(lambda: list(Path(rig.node.bpffs, "axoneme", "links").iterdir())))


def test_values_are_decoded_by_the_formats_given(rig, source):
    """Such a map has no codec: the plugin says what it holds."""
    rig.put(mine=source(COUNT))
    (row,) = read(rig, key="I", value={"low": "I", "high": "I"}).values()
    assert row["low"] > row["high"] == 0


def test_formats_of_another_size_are_refused(rig, source):
    """With both sizes."""
    rig.put(mine=source(COUNT))
    with pytest.raises(LayoutMismatch, match=r"4 \+ 8 bytes, expected 4 \+ 4 bytes"):
        read(rig, key="I", value="I")


def test_a_map_that_is_not_there_is_named(rig, source):
    """With the nearest that is."""
    rig.put(mine=source(COUNT))
    find = rig.datapath.standalone_map
    with pytest.raises(DatapathError) as caught:
        rig.call(find, "mine", "mine_count", key="I", value="Q")
    assert str(caught.value) == (
        "plugin mine has no map mine_count of its own; did you mean 'mine_counts'?"
    )
    with pytest.raises(DatapathError, match="plugin other has no map mine_counts of its own"):
        rig.call(find, "other", "mine_counts", key="I", value="Q")


def test_text_that_does_not_compile_is_refused_with_the_compilers_words(rig, source):
    """With the plugin's file, its line, and what clang says of it."""
    text = COUNT.replace("mine_counts.increment(0);", "return forgotten;")
    reason = rig.refusals(mine=source(text))["mine"]
    assert reason.startswith("mine.c: mine: does not compile")
    assert "use of undeclared identifier 'forgotten'" in reason


def test_a_program_that_the_kernel_refuses_has_the_verifiers_words(rig, source):
    """As with the other loader."""
    text = COUNT.replace("mine_counts.increment(0);", "return *(volatile u64 *)0;")
    reason = rig.refusals(mine=source(text))["mine"]
    assert "the kernel refuses raw_tracepoint__sched_switch" in reason
    assert "invalid mem access" in reason


def test_a_machine_without_bcc_says_what_to_install(rig, source, monkeypatch):
    """This environment's python has none."""
    monkeypatch.setattr(bcc, "_PYTHON", sys.executable)
    reason = rig.refusals(mine=source(COUNT))["mine"]
    assert reason.endswith("BCC is not installed: apt install python3-bpfcc")


def test_a_machine_without_the_systems_python_says_so(rig, source, monkeypatch):
    """It is the system's, whatever the agent itself runs under."""
    monkeypatch.setattr(bcc, "_PYTHON", "/nowhere/python3")
    reason = rig.refusals(mine=source(COUNT))["mine"]
    assert reason.endswith("/nowhere/python3 was not found, and BCC runs under it")


def test_the_worker_leaves_nothing(rig, source):
    """No pins of its own, and no process."""
    rig.refusals(mine=source(COUNT))
    assert not list(rig.call(lambda: list(Path(rig.node.bpffs).glob("axoneme-bcc-*"))))
