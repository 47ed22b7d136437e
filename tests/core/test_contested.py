# SPDX-License-Identifier: Apache-2.0
"""Networks that two nodes claim: which of the two goes on giving, and what it does not give."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from axoneme.agent.contested import Contested
from axoneme.model import NodeIpam, NodeRecord
from axoneme.sources import EndpointRecord, NodeFiles

PART, WITHIN, OTHER = map(ip_network, ("10.1.0.0/24", "10.1.0.64/28", "10.2.0.0/24"))
RECORDS = [
    NodeRecord("old", (), NodeIpam((PART,)), created="2026-01-01T00:00:00Z"),
    NodeRecord("new", (), NodeIpam((WITHIN, OTHER)), created="2026-01-02T00:00:00Z"),
]
FAR = EndpointRecord(
    1,
    "far",
    "shop",
    "axn1",
    bytes(6),
    (ip_address("10.1.0.70"), ip_address("10.2.0.1")),
    node="new",
)


@pytest.fixture
def read(tmp_path):
    """Two nodes of which the newer claims a part of the older one's network."""
    files = NodeFiles(tmp_path)
    for record in RECORDS:
        files.write(record)
    return files.read()


def test_the_older_node_goes_on_but_for_what_pods_of_the_other_have(read):
    """It gives the rest of its network."""
    old = Contested.of(RECORDS[0], read)
    assert old.withheld([PART]) == set()
    assert old.held("old", [FAR]) == {"shop/far": (ip_address("10.1.0.70"),)}
    assert old.held("new", [FAR]) == {}


def test_the_newer_node_gives_nothing_of_what_it_should_not_have(read):
    """Its other networks are its own."""
    new = Contested.of(RECORDS[1], read)
    assert new.withheld([WITHIN, OTHER]) == {WITHIN}


def test_nothing_is_contested_of_nodes_that_do_not_overlap(read):
    """The third of them."""
    third = NodeRecord("third", (), NodeIpam((ip_network("10.3.0.0/24"),)))
    assert Contested.of(third, read).networks == ()
