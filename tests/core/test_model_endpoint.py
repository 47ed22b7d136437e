# SPDX-License-Identifier: Apache-2.0
"""An endpoint is right from the moment it is made."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import attrs
import pytest

from axoneme import Endpoint

POD = Endpoint(
    id=7,
    name="web-1",
    namespace="default",
    ifname="axn7",
    ifindex=12,
    addresses=(IPv4Address("10.0.0.7"), IPv6Address("fd00::7")),
    mac=b"\x02\0\0\0\0\x07",
    node_mac=b"\x02\0\0\0\1\x07",
    identity=0,
)


def test_an_endpoint_is_a_value():
    """Two with the same facts are equal and have one hash; none can be changed."""
    assert attrs.evolve(POD) == POD
    assert len({POD, attrs.evolve(POD)}) == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        POD.identity = 3


def test_an_endpoint_prints_as_its_pod():
    """Messages name a pod as Kubernetes does."""
    assert str(POD) == "default/web-1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 0),
        ("id", 1 << 32),
        ("id", "7"),
        ("name", ""),
        ("namespace", ""),
        ("ifname", "a-name-of-16-byt"),
        ("ifname", "a b"),
        ("ifindex", 0),
        ("ifindex", -1),
        ("addresses", ()),
        ("addresses", ("10.0.0.7",)),
        ("addresses", (IPv4Address("10.0.0.7"),) * 2),
        ("addresses", (IPv6Address("::ffff:10.0.0.7"),)),
        ("mac", b"\x02\0\0\0\0"),
        ("mac", "02:00:00:00:00:07"),
        ("node_mac", b""),
        ("identity", -1),
    ],
)
def test_a_field_that_no_endpoint_can_have_is_refused(field, value):
    """What would end as a wrong row in a map is an error where it is made."""
    with pytest.raises((TypeError, ValueError), match=field):
        attrs.evolve(POD, **{field: value})
