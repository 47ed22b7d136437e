# SPDX-License-Identifier: Apache-2.0
"""The MTU budget: every byte has a name."""

from __future__ import annotations

import pytest

from axoneme.agent.mtu import OVERHEADS, MtuBudget
from axoneme.errors import AxonemeError


@pytest.mark.parametrize(
    ("names", "left"),
    [
        ([], 1500),
        (["vxlan over IPv4"], 1450),
        (["vxlan over IPv6"], 1430),
        (["wireguard"], 1420),
        (["vxlan over IPv4", "wireguard"], 1370),
    ],
)
def test_what_is_left_for_a_packet(names, left):
    """The device's MTU less each overhead."""
    assert MtuBudget.of(1500, names).route == left


def test_each_byte_is_explained():
    """The lines add up."""
    lines = MtuBudget.of(1500, ["vxlan over IPv4"]).explain()
    assert lines == (
        "1500 MTU of the device",
        "-14 inner Ethernet header (vxlan over IPv4)",
        "-8 VXLAN header (vxlan over IPv4)",
        "-8 UDP header (vxlan over IPv4)",
        "-20 outer IPv4 header (vxlan over IPv4)",
        "1450 for a pod's packets",
    )
    for names in ([name] for name in OVERHEADS):
        *parts, left = (int(line.split()[0]) for line in MtuBudget.of(1500, names).explain())
        assert sum(parts) == left


def test_a_device_that_is_too_small_is_refused():
    """IPv6 would not work over it, and nobody would know why."""
    with pytest.raises(AxonemeError, match=r"1230 bytes are left.*IPv6 needs 1280.*-14 inner"):
        MtuBudget.of(1280, ["vxlan over IPv4"])
