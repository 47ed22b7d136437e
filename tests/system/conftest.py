# SPDX-License-Identifier: Apache-2.0
"""Datapaths in nodes, and programs of others beside them."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests.system.foreign import Foreign
from tests.system.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme.testing import Node


@pytest.fixture
def rig(node: Node) -> Iterator[Rig]:
    """A datapath in a node of the test's own, with nothing in effect yet."""
    made = Rig(node)
    yield made
    made.close()


@pytest.fixture
def matching() -> Callable[[str, str], None]:
    """A function that fails unless words are found in a text."""

    def match(words: str, text: str) -> None:
        assert re.search(words, text, re.DOTALL), f"{words!r} is not in {text!r}"

    return match


@pytest.fixture
def foreign(node: Node) -> Iterator[Callable[..., Foreign]]:
    """A function that loads a program of another tool."""
    with ExitStack() as stack:

        def load(kind: str = "tc") -> Foreign:
            made = Foreign(node, kind)
            stack.callback(made.close)
            return made

        yield load
