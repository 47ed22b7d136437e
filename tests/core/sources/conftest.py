# SPDX-License-Identifier: Apache-2.0
"""A state directory."""

from __future__ import annotations

import pytest

from axoneme.sources import EmbeddedSource


@pytest.fixture
def source(tmp_path):
    made = EmbeddedSource(tmp_path / "state")
    made.create()
    return made
