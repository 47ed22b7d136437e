# SPDX-License-Identifier: Apache-2.0
"""What is attached, read from the kernel alone: places, stages, and whose each lane is."""

from __future__ import annotations

import pytest
from tests.system.rig import Rig, tally

from axoneme.datapath import PinnedMaps, read_attached
from axoneme.errors import DatapathError
from axoneme.testing import plugin_object
from axoneme.testing.features import require

CLOSER = """
    #include <axoneme/plugin.h>

    AXN_STAGE(track, AXN_BEFORE(tally))
    {
        return AXN_NEXT;
    }

    AXN_STAGE(policy)
    {
        return AXN_NEXT;
    }
"""


def attached(rig, **options):
    """The programs of a rig by place and trunk."""
    found = rig.call(read_attached, rig.node.bpffs, **options)
    return {(one.ifindex, one.trunk): one for one in found}


def test_programs_say_who_is_linked_into_them(rig):
    """Plugins of a stage in the order in which they run, none where nobody is."""
    rig.put(tally=tally(), closer=plugin_object(CLOSER, "closer"))
    pod = rig.add_pod()
    found = attached(rig)[pod.endpoint(1).ifindex, "from_pod"]
    assert found.stages["track"] == ("closer", "tally")
    assert found.stages["policy"] == ("closer",)
    assert found.stages["admit"] == ()
    assert found.instructions > 0


def test_a_swap_is_seen(rig):
    """What is told is what runs now."""
    rig.put(tally=tally())
    pod = rig.add_pod()
    place = pod.endpoint(1).ifindex, "to_pod"
    before = attached(rig)[place]
    rig.put(closer=plugin_object(CLOSER, "closer"))
    after = attached(rig)[place]
    assert (before.stages["track"], after.stages["track"]) == (("tally",), ("closer",))
    assert before.program != after.program


def test_it_is_read_when_the_agent_is_gone(rig):
    """Programs and maps, by somebody who has neither objects nor a datapath."""
    rig.put(tally=tally())
    pod = rig.add_pod()
    rig.call(rig.datapath.close)
    assert attached(rig)[pod.endpoint(1).ifindex, "from_pod"].stages["track"] == ("tally",)

    def count():
        with PinnedMaps(rig.node.bpffs) as maps:
            assert "tally_packets_v1" in maps.infos()
            return maps.table("endpoints").count()

    assert rig.call(count) == len(pod.addresses)
    rig.open()


def test_filters_are_found_where_there_are_no_links(node):
    """As below kernel 6.6."""
    rig = Rig(node, tcx=False)
    try:
        rig.put(tally=tally())
        pod = rig.add_pod()
        found = attached(rig, tcx=False)
        assert {trunk for _, trunk in found} == {"from_pod", "to_pod"}
        assert found[pod.endpoint(1).ifindex, "to_pod"].stages["track"] == ("tally",)
    finally:
        rig.close()


def test_a_place_that_is_gone_is_not_listed(rig):
    """Somebody has detached our program: its pin tells of nothing that runs."""
    require("tcx")
    rig.put(tally=tally())
    pod = rig.add_pod()
    rig.force_detach(f"from_pod-{pod.endpoint(1).ifindex}")
    assert {trunk for _, trunk in attached(rig)} == {"to_pod"}


def test_a_map_that_core_does_not_have_is_answered_with_the_nearest(rig):
    """And one that is not pinned with where it should be."""
    rig.put(tally=tally())
    with PinnedMaps(rig.node.bpffs) as maps, pytest.raises(DatapathError, match="mean endpoints"):
        rig.call(maps.table, "endpoint")
