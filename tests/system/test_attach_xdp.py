# SPDX-License-Identifier: Apache-2.0
"""Attachment at the uplinks: XDP where a stage of it is filled, tc always."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.system.rig import Rig, tally
from tests.system.traffic import send

from axoneme._bpf import ffi, lib
from axoneme.datapath import Device
from axoneme.errors import AttachError
from axoneme.testing import Node, join, plugin_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.system.foreign import Foreign

    from axoneme import PluginObject

_FENCE = """
    #include <axoneme/plugin.h>
    AXN_REASON(fence_shut, "The fence is shut");
    AXN_XDP_STAGE(xdp_filter)
    {
        if (packet->tuple.dport == bpf_htons(9001))
            return axn_drop(packet, fence_shut);
        return AXN_NEXT;
    }
"""


def fence() -> PluginObject:
    """A plugin that drops what comes to port 9001, at XDP."""
    return plugin_object(_FENCE, "fence")


class Uplink:
    """Two joined nodes, the first with a datapath, and a pod on each."""

    def __init__(self, here: Node, there: Node) -> None:
        self.here, self.there = join(here, there)
        self.near, self.far = here.add_pod(), there.add_pod()
        self.rig = Rig(here, uplinks=[Device(self.here.name, self.here.index)])

    def xdp_program(self) -> int:
        """The id of the program at XDP, 0 if there is none."""
        found = ffi.new("uint32_t *")
        assert self.rig.call(lib.bpf_xdp_query_id, self.here.index, 0, found) == 0
        return int(found[0])

    def comes(self, port: int) -> int:
        """How many of ten datagrams from the other node arrive."""
        return send(self.far, self.near, 10, port=port)

    def places(self) -> set[str]:
        """Where programs are attached."""
        return {a.attach_point for a in self.rig.datapath._attachments.values()}


@pytest.fixture
def uplink(node: Node) -> Iterator[Uplink]:
    """A node with an uplink to another."""
    with Node(number=2) as other:
        made = Uplink(node, other)
        yield made
        made.rig.close()


def test_what_passes_an_uplink_comes_by_its_trunks(uplink: Uplink) -> None:
    """Each packet once, in its own direction."""
    uplink.rig.put(tally=tally())
    assert uplink.comes(9000) == 10
    assert (uplink.rig.tallied("from_uplink"), uplink.rig.tallied("to_uplink")) == (10, 0)
    assert send(uplink.near, uplink.far, 7) == 7
    assert (uplink.rig.tallied("from_uplink"), uplink.rig.tallied("to_uplink")) == (10, 7)


def test_xdp_is_attached_only_when_a_stage_is_filled(uplink: Uplink) -> None:
    """Without a plugin nothing is there, with one it is, and it goes with the plugin."""
    uplink.rig.put()
    assert uplink.xdp_program() == 0
    uplink.rig.put(fence=fence())
    assert uplink.xdp_program() != 0
    uplink.rig.put()
    assert uplink.xdp_program() == 0
    assert not [name for name in uplink.rig.links() if name.startswith("xdp")]


def test_a_stage_at_xdp_drops_with_its_reason(uplink: Uplink) -> None:
    """In the driver: the veth takes native programs."""
    uplink.rig.put(fence=fence())
    assert "xdp_ingress on uplink2 (xdp native)" in uplink.places()
    assert uplink.comes(9001) == 0
    assert uplink.comes(9000) == 10
    assert uplink.rig.dropped("fence_shut") == 10


def test_a_driver_that_refuses_gets_a_generic_program(uplink: Uplink) -> None:
    """With frames of 9000 bytes a veth takes no native program; the stage works all the same."""
    far = uplink.far.node.netlink
    far.change_link(far.link("uplink1"), mtu=9000)
    uplink.rig.put(fence=fence())
    assert "xdp_ingress on uplink2 (xdp generic)" in uplink.places()
    assert uplink.comes(9001) == 0
    assert uplink.comes(9000) == 10


@pytest.mark.parametrize("generic", [False, True], ids=["native", "generic"])
def test_a_program_of_another_tool_is_not_replaced(
    uplink: Uplink, foreign: Callable[..., Foreign], generic: bool
) -> None:
    """The error names device and program, nothing of ours is in effect, and theirs goes on."""
    other = foreign("xdp")
    other.attach_xdp(uplink.here.index, generic=generic)
    theirs = uplink.xdp_program()
    uplink.rig.put()
    expected = r"xdp_ingress on uplink2 \(xdp\): program \d+ \(foreign_xdp\) is attached there"
    with pytest.raises(AttachError, match=expected):
        uplink.rig.put(fence=fence())
    assert uplink.xdp_program() == theirs
    assert uplink.comes(9000) == 10
    assert other.seen == 10
    assert uplink.rig.drift() == []


def test_the_next_agent_replaces_the_program_in_its_place(uplink: Uplink) -> None:
    """The link is the old one."""
    uplink.rig.put(fence=fence())
    before = uplink.rig.link(f"xdp_ingress-{uplink.here.index}")
    uplink.rig.restart(fence=fence())
    after = uplink.rig.link(f"xdp_ingress-{uplink.here.index}")
    assert after.id == before.id
    assert after.program_id != before.program_id
    assert uplink.comes(9001) == 0


def test_a_link_that_the_next_agent_does_not_fill_is_removed(uplink: Uplink) -> None:
    """Its plugin was disabled while no agent ran."""
    uplink.rig.put(fence=fence())
    uplink.rig.restart()
    assert uplink.xdp_program() == 0


def test_a_link_that_somebody_detached_is_named_and_repaired(uplink: Uplink) -> None:
    """Drift names the place; repair attaches again."""
    uplink.rig.put(fence=fence())
    uplink.rig.force_detach(f"xdp_ingress-{uplink.here.index}")
    assert ["xdp_ingress on uplink2" in str(drift) for drift in uplink.rig.drift()] == [True]
    uplink.rig.call(uplink.rig.datapath.repair)
    assert uplink.rig.drift() == []
    assert uplink.comes(9001) == 0
