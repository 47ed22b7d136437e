# SPDX-License-Identifier: Apache-2.0
"""What a pod would get is what it gets then, and asking changes nothing."""

from __future__ import annotations

import pytest
from tests.core.ipam.made import pool

from axoneme import AddressRefused, PoolExhausted
from axoneme.model import AddressRequest, PoolChoice

BOTH = (pool("fd00:0:0:1::/64", "10.0.1.0/24"),)


def preview(node, name="a", choice=None):
    """What a pod would get, as the node's `add` shows it."""
    found = node.ledger.preview(AddressRequest("default", name), choice or PoolChoice())
    return " ".join(map(str, found))


def test_what_a_pod_would_get_is_what_it_gets(node):
    """Asked twice it is the same; nothing is in use by that."""
    node.start(BOTH)
    assert preview(node) == preview(node) == "10.0.1.1 fd00:0:0:1::1"
    assert node.ledger.allocations() == ()
    assert node.add("a") == "10.0.1.1 fd00:0:0:1::1"
    assert preview(node, "b") == "10.0.1.2 fd00:0:0:1::2"


def test_why_a_pod_would_get_none_is_said_in_the_same_words(node):
    """An exhausted pool, and one that there is not."""
    node.start([pool("10.0.1.1/32")])
    node.add("a")
    for ask in (preview, type(node).add):
        with pytest.raises(PoolExhausted, match="no IPv4 address is free: 1 in use"):
            ask(node, "b")
    with pytest.raises(AddressRefused, match="no pool blue"):
        preview(node, "b", PoolChoice("blue", "blue"))


def test_what_is_given_and_taken_back_is_counted(node):
    """By family; an owner that asks again is given nothing."""
    node.start(BOTH)
    for name in ("a", "a", "b"):
        node.add(name)
    node.delete("a")
    assert node.ledger.events == {
        ("allocate", 4): 2,
        ("allocate", 6): 2,
        ("release", 4): 1,
        ("release", 6): 1,
    }
