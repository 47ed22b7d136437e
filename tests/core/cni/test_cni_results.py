# SPDX-License-Identifier: Apache-2.0
"""Results in the versions of the specification."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from axoneme.cni import CniResult

RESULT = CniResult(
    node_ifname="axn0",
    node_mac=b"\x0e\x58\x0a\x01\0\x02",
    ifname="eth0",
    mac=b"\x0a\x58\x0a\x01\0\x02",
    netns="/run/netns/a",
    addresses=(ip_address("10.1.0.2"), ip_address("fd00::2")),
    gateways=(ip_address("169.254.1.1"), ip_address("fe80::1")),
    mtu=1500,
    route_mtu=1450,
)


def test_the_newest_version_says_it_all():
    """Both ends of the link, addresses with the pod's end as theirs, and routes with their MTU."""
    assert RESULT.document("1.1.0") == {
        "cniVersion": "1.1.0",
        "interfaces": [
            {"name": "axn0", "mac": "0e:58:0a:01:00:02", "mtu": 1500},
            {"name": "eth0", "mac": "0a:58:0a:01:00:02", "mtu": 1500, "sandbox": "/run/netns/a"},
        ],
        "ips": [
            {"interface": 1, "address": "10.1.0.2/32", "gateway": "169.254.1.1"},
            {"interface": 1, "address": "fd00::2/128", "gateway": "fe80::1"},
        ],
        "routes": [
            {"dst": "0.0.0.0/0", "gw": "169.254.1.1", "mtu": 1450},
            {"dst": "::/0", "gw": "fe80::1", "mtu": 1450},
        ],
        "dns": {},
    }


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0"])
def test_an_older_version_has_no_key_that_came_later(version):
    """MTUs came with 1.1; the family of an address went with 1.0."""
    document = RESULT.document(version)
    assert document["cniVersion"] == version
    assert not any("mtu" in one for one in [*document["interfaces"], *document["routes"]])
    families = [ip.get("version") for ip in document["ips"]]
    assert families == ([None, None] if version == "1.0.0" else ["4", "6"])
