# SPDX-License-Identifier: Apache-2.0
"""Plugins with a lane each in the stage policy, which show that they ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.testing import plugin_object
from axoneme.testing.packets import TCP, Ethernet, IPv4

if TYPE_CHECKING:
    from axoneme import PluginObject
    from axoneme.datapath import Datapath

PACKET = bytes(Ethernet() / IPv4("10.0.0.1", "10.0.0.2") / TCP(40000, 443))
#: A lane that shows by its reason, which a probe records, who runs.
LANE = """
    #include <axoneme/plugin.h>
    AXN_STAGE(policy, {order}) {{ packet->reason = {sign}; return {verdict}; }}
"""


def lane(name: str, order: str = "", verdict: str = "AXN_NEXT") -> PluginObject:
    """A plugin's lane in the stage policy, ordered by AXN_BEFORE and AXN_AFTER."""
    return plugin_object(LANE.format(order=order, sign=ord(name[-1]), verdict=verdict))


def ran(datapath: Datapath) -> str:
    """The plugins whose lanes ran, in order, a letter each."""
    _, steps = datapath.probe("to_pod", PACKET)
    assert [step.lane for step in steps] == list(range(len(steps)))
    return "".join(chr(step.reason) for step in steps)
