# SPDX-License-Identifier: Apache-2.0
"""Switches, compiled by bcc: alone, and with all other plugins."""

import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.axoneme_plugin("switches")


def test_the_counter_grows(pipeline):
    """A thread that sleeps is switched out, and in again."""
    before = pipeline.sample("axoneme_switches_total")
    for _ in range(10):
        time.sleep(0.001)
    assert pipeline.sample("axoneme_switches_total") >= before + 10


def test_the_compiler_stays_out_of_the_process(pipeline):
    """Bcc and LLVM run in a worker that has ended: none of their libraries is mapped here."""
    assert pipeline.loader("switches") == "bcc"
    mapped = Path("/proc/self/maps").read_text().lower()
    assert "libbcc" not in mapped
    assert "llvm" not in mapped
