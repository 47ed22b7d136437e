# SPDX-License-Identifier: Apache-2.0
"""Who has, or had, an address."""

from __future__ import annotations

from ipaddress import ip_address

from tests.core.observe.made import CLIENT, NODE, WEB, WEB_ID, directory, owner

from axoneme.model import pack_address
from axoneme.observe import Owner


def test_pods_and_nodes_are_found_by_their_addresses():
    """Nobody is found for others."""
    made = directory()
    assert str(made.owner(pack_address(WEB))) == "default/web-1"
    assert str(made.owner(pack_address(NODE))) == "node node1"
    assert made.owner(pack_address("192.0.2.9")) is None


def test_a_pod_that_is_gone_is_known_still():
    """For what it did before."""
    made = directory()
    made.remove_pod("default", "web-1")
    assert str(made.owner(pack_address(WEB), WEB_ID)) == "default/web-1"
    assert str(made.owner(pack_address(WEB))) == "default/web-1"


def test_an_address_that_another_pod_has_now_is_that_pods():
    """But for packets of the identity that the old one had."""
    made = directory()
    made.remove_pod("default", "web-1")
    made.put_pod(owner("new", "default", 400), (ip_address(WEB),))
    packed = pack_address(WEB)
    assert str(made.owner(packed, 400)) == "default/new"
    assert str(made.owner(packed)) == "default/new"
    assert str(made.owner(packed, WEB_ID)) == "default/web-1"
    assert str(made.owner(packed, 999)) == "default/new", "nobody of this identity ever had it"


def test_only_what_is_different_is_a_change():
    """Whoever chose rows by names has to look again after one."""
    made = directory()
    version = made.version
    made.put_pod(owner("client", "default", 301), (ip_address(CLIENT),))
    made.replace_nodes([(Owner("node1", node="node1", identity=1), [ip_address(NODE)])])
    made.remove_pod("default", "nobody")
    assert made.version == version
    made.put_pod(owner("client", "default", 999), (ip_address(CLIENT),))
    assert made.version != version
    version = made.version
    made.replace_nodes([])
    assert made.version != version
    assert str(made.owner(pack_address(NODE))) == "node node1", "it is remembered"
