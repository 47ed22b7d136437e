# SPDX-License-Identifier: Apache-2.0
"""Ledgers on a directory and a clock of the test's."""

from __future__ import annotations

import pytest
from tests.core.ipam.made import Clock, Node


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def node(tmp_path, clock):
    return Node(tmp_path / "one", clock)
