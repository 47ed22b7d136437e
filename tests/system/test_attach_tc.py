# SPDX-License-Identifier: Apache-2.0
"""Attachment at tc, by tcx links and by clsact filters: ours stays, and so do others'."""

from __future__ import annotations

from socket import SOCK_DGRAM
from typing import TYPE_CHECKING

import pytest
from tests.system.foreign import tcx_programs
from tests.system.rig import Rig, tally
from tests.system.traffic import PORT, Sender, arrived, listen, send

from axoneme._bpf import lib
from axoneme.errors import AttachError
from axoneme.model import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.system.foreign import Foreign

    from axoneme.testing import Node, Pod


@pytest.fixture(params=["tcx", "clsact"])
def rig(
    request: pytest.FixtureRequest, node: Node, require_feature: Callable[[str], None]
) -> Iterator[Rig]:
    """A datapath with a plugin that counts in effect, attached in one way and in the other."""
    if request.param == "tcx":
        require_feature("tcx")
    made = Rig(node, tcx=request.param == "tcx")
    made.put(tally=tally())
    yield made
    made.close()


@pytest.fixture
def tcx_rig(node: Node, require_feature: Callable[[str], None]) -> Iterator[Rig]:
    """The same, by tcx links only."""
    require_feature("tcx")
    made = Rig(node)
    made.put(tally=tally())
    yield made
    made.close()


@pytest.fixture
def clsact_rig(node: Node) -> Iterator[Rig]:
    """The same, by clsact filters only."""
    made = Rig(node, tcx=False)
    made.put(tally=tally())
    yield made
    made.close()


def test_what_a_pod_sends_and_gets_comes_by_its_trunks(rig: Rig) -> None:
    """Each packet once at the sender's from_pod, once at the receiver's to_pod."""
    one, two = rig.add_pod(), rig.add_pod()
    assert send(one, two, 20) == 20
    assert (rig.tallied("from_pod"), rig.tallied("to_pod")) == (20, 20)


def test_a_device_that_is_no_endpoint_is_left_alone(rig: Rig) -> None:
    """Only what was added as an endpoint has our programs."""
    one, two = rig.node.add_pod(), rig.node.add_pod()
    assert send(one, two, 5) == 5
    assert rig.tallied("from_pod") == 0


def test_programs_stay_when_the_agent_ends(rig: Rig) -> None:
    """What is sent between two agents is counted in the same maps."""
    one, two = rig.add_pod(), rig.add_pod()
    rig.call(rig.datapath.close)
    assert send(one, two, 20) == 20
    rig.open()
    rig.put(tally=tally())
    assert rig.tallied("from_pod") == 20


def test_the_next_agent_replaces_the_programs_in_their_places(tcx_rig: Rig) -> None:
    """The links are the old ones, and run the new programs."""
    pod = tcx_rig.add_pod()
    before = tcx_rig.links()
    tcx_rig.restart(pod)
    after = tcx_rig.links()
    assert {n: link.id for n, link in after.items()} == {n: link.id for n, link in before.items()}
    assert all(after[name].program_id != before[name].program_id for name in before)
    assert set(before) == {f"from_pod-{pod.ifindex}", f"to_pod-{pod.ifindex}"}


def test_the_next_agent_replaces_the_filter_in_its_place(clsact_rig: Rig) -> None:
    """There is one filter at each side, of priority 1, before and after."""
    pod = clsact_rig.add_pod()
    link = clsact_rig.node.netlink.link(pod.ifname)
    (before,) = clsact_rig.node.netlink.filters(link, "ingress")
    clsact_rig.restart(pod)
    (after,) = clsact_rig.node.netlink.filters(link, "ingress")
    assert (before.priority, before.handle) == (after.priority, after.handle) == (1, 1)
    assert before.name.startswith("from_pod:")
    assert after.name.startswith("from_pod:")
    assert after.program != before.program


@pytest.mark.parametrize("change", ["restart", "swap"])
def test_no_packet_goes_uncounted_while_programs_are_replaced(rig: Rig, change: str) -> None:
    """The pods talk meanwhile: at each moment one program is there, and nothing is lost."""
    one, two = rig.add_pod(), rig.add_pod()
    with listen(two) as listener, one.socket(kind=SOCK_DGRAM) as source:
        sender = Sender(source, (str(two.ipv4), PORT))
        sender.start()
        for _ in range(3):
            if change == "restart":
                rig.restart(one, two, tally=tally())
            else:
                rig.put(tally=tally())
        sent = sender.end()
        assert arrived(listener, sent) == sent
    assert sent > 0
    assert rig.tallied("from_pod") == sent
    assert rig.tallied("to_pod") == sent


def test_nothing_is_left_after_removal(rig: Rig) -> None:
    """Neither programs nor pins; the pods go on talking by the kernel's routing."""
    one, two = rig.add_pod(), rig.add_pod()
    rig.close()
    link = rig.node.netlink.link(one.ifname)
    assert rig.node.netlink.filters(link, "ingress") == ()
    assert not rig.call((rig.node.bpffs / "axoneme").exists)
    assert send(one, two, 5) == 5


def test_an_endpoint_that_is_removed_is_detached_and_others_are_not(rig: Rig) -> None:
    """The one that stays is counted on."""
    one, two = rig.add_pod(), rig.add_pod()
    rig.call(rig.datapath.remove_endpoint, one.number)
    assert send(one, two, 7) == 7
    assert (rig.tallied("from_pod"), rig.tallied("to_pod")) == (0, 7)
    assert rig.drift() == []


def test_an_endpoint_whose_device_is_not_there_is_an_error_that_names_it(rig: Rig) -> None:
    """Nothing of it is left, and the next endpoint is attached."""
    pod = rig.node.add_pod()
    wrong = Endpoint(99, "x", "default", "gone0", 9999, pod.addresses, bytes(6), bytes(6), 1)
    with pytest.raises(AttachError, match=r"from_pod on gone0 \((tcx|clsact) ingress\): .*\(E"):
        rig.call(rig.datapath.add_endpoint, wrong)
    assert rig.datapath.endpoints == {}
    rig.attach(pod)
    assert rig.drift() == []


def test_a_device_that_went_away_is_named_and_disturbs_no_other(rig: Rig) -> None:
    """Drift and repair say so, and its endpoint can be removed."""
    gone, one, two = rig.add_pod(), rig.add_pod(), rig.add_pod()
    gone.close()
    assert {d.attach_point.split(" (")[0] for d in rig.drift()} == {
        f"from_pod on {gone.ifname}",
        f"to_pod on {gone.ifname}",
    }
    repaired = [str(drift) for drift in rig.call(rig.datapath.repair)]
    assert sum("cannot be repaired" in text for text in repaired) == 2
    rig.call(rig.datapath.remove_endpoint, gone.number)
    assert rig.drift() == []
    assert send(one, two, 5) == 5


def test_links_of_endpoints_that_never_came_back_are_removed(tcx_rig: Rig) -> None:
    """The next agent forgets them when it knows all its endpoints, and says their names."""
    stays, goes = tcx_rig.add_pod(), tcx_rig.add_pod()
    tcx_rig.call(tcx_rig.datapath.close)
    tcx_rig.open()
    tcx_rig.put(tally=tally())
    tcx_rig.attach(stays)
    forgotten = tcx_rig.call(tcx_rig.datapath.forget_others)
    assert forgotten == [f"from_pod-{goes.ifindex}", f"to_pod-{goes.ifindex}"]
    assert tcx_programs(tcx_rig.node, goes.ifindex) == []
    assert tcx_programs(tcx_rig.node, stays.ifindex) == ["from_pod"]


def pods_with(rig: Rig, one: Pod, foreigners: list[Foreign]) -> list[int]:
    """Send ten datagrams between pods; what each foreigner saw of them."""
    before = [foreigner.seen for foreigner in foreigners]
    two = rig.add_pod()
    assert send(one, two, 10) == 10
    return [f.seen - seen for f, seen in zip(foreigners, before, strict=True)]


def test_ours_goes_before_programs_that_were_there_first(
    tcx_rig: Rig, foreign: Callable[..., Foreign]
) -> None:
    """A program of another tool runs behind ours and sees every packet, also after swaps."""
    pod = tcx_rig.node.add_pod()
    other = foreign()
    other.attach_tcx(pod.ifindex)
    tcx_rig.attach(pod)
    tcx_rig.put(tally=tally())
    assert tcx_programs(tcx_rig.node, pod.ifindex) == ["from_pod", "foreign_tc"]
    assert pods_with(tcx_rig, pod, [other]) == [10]
    assert tcx_rig.tallied("from_pod") == 10
    assert tcx_rig.drift() == []


def test_a_program_that_comes_behind_ours_sees_every_packet(
    tcx_rig: Rig, foreign: Callable[..., Foreign]
) -> None:
    """It is no drift."""
    pod = tcx_rig.add_pod()
    other = foreign()
    other.attach_tcx(pod.ifindex)
    assert pods_with(tcx_rig, pod, [other]) == [10]
    assert tcx_rig.drift() == []


def test_a_program_that_is_put_before_ours_is_named_and_works(
    tcx_rig: Rig, foreign: Callable[..., Foreign]
) -> None:
    """Drift says who runs before us; both count; repair puts ours first again."""
    pod = tcx_rig.add_pod()
    other = foreign()
    other.attach_tcx(pod.ifindex, first=True)
    (drift,) = tcx_rig.drift()
    assert drift.attach_point == f"from_pod on {pod.ifname} (tcx ingress)"
    assert "others run before our program" in str(drift)
    assert "(foreign_tc)" in str(drift)
    assert pods_with(tcx_rig, pod, [other]) == [10]
    tcx_rig.call(tcx_rig.datapath.repair)
    assert tcx_programs(tcx_rig.node, pod.ifindex) == ["from_pod", "foreign_tc"]
    assert tcx_rig.drift() == []


def test_a_link_that_somebody_detached_is_named_and_repaired(tcx_rig: Rig) -> None:
    """Drift names the place; repair attaches again, and counts go on."""
    one, two = tcx_rig.add_pod(), tcx_rig.add_pod()
    tcx_rig.force_detach(f"from_pod-{one.ifindex}")
    assert [str(d) for d in tcx_rig.drift()] == [
        f"from_pod on {one.ifname} (tcx ingress): our program was detached"
    ]
    assert len(tcx_rig.call(tcx_rig.datapath.repair)) == 1
    assert tcx_rig.drift() == []
    assert send(one, two, 5) == 5
    assert tcx_rig.tallied("from_pod") == 5


def test_a_detached_link_names_who_is_there_instead(
    tcx_rig: Rig, foreign: Callable[..., Foreign]
) -> None:
    """Whoever removed ours is likely to be there now."""
    pod = tcx_rig.add_pod()
    foreign().attach_tcx(pod.ifindex)
    tcx_rig.force_detach(f"from_pod-{pod.ifindex}")
    (drift,) = tcx_rig.drift()
    assert "(foreign_tc)" in str(drift)


def test_a_detached_link_is_made_again_by_the_next_agent(tcx_rig: Rig) -> None:
    """A dead pin does not keep the trunk away."""
    pod = tcx_rig.add_pod()
    tcx_rig.force_detach(f"from_pod-{pod.ifindex}")
    tcx_rig.restart(pod)
    assert tcx_programs(tcx_rig.node, pod.ifindex) == ["from_pod"]
    assert tcx_rig.drift() == []


def test_a_filter_of_another_tool_works_and_stays(
    rig: Rig, foreign: Callable[..., Foreign]
) -> None:
    """It sees every packet behind ours, and is still there when we are gone."""
    pod = rig.add_pod()
    other = foreign()
    other.attach_clsact(pod.ifindex, handle=7, priority=5)
    assert pods_with(rig, pod, [other]) == [10]
    assert rig.tallied("from_pod") == 10
    rig.close()
    (left,) = rig.node.netlink.filters(rig.node.netlink.link(pod.ifname), "ingress")
    assert (left.handle, left.priority) == (7, 5)
    assert left.name.startswith("foreign_tc:")


def test_a_filter_in_our_place_is_not_replaced(
    clsact_rig: Rig, foreign: Callable[..., Foreign]
) -> None:
    """The error names its program, and it goes on."""
    pod = clsact_rig.node.add_pod()
    foreign().attach_clsact(pod.ifindex, handle=1, priority=1)
    with pytest.raises(AttachError, match=r"from_pod on axn1 \(clsact ingress\).*\(foreign_tc\)"):
        clsact_rig.attach(pod)
    (left,) = clsact_rig.node.netlink.filters(clsact_rig.node.netlink.link(pod.ifname), "ingress")
    assert left.name.startswith("foreign_tc:")


def test_a_filter_that_somebody_removed_is_named_and_repaired(clsact_rig: Rig) -> None:
    """Drift names the place, and repair attaches again."""
    one, two = clsact_rig.add_pod(), clsact_rig.add_pod()
    netlink = clsact_rig.node.netlink
    link = netlink.link(one.ifname)
    (ours,) = netlink.filters(link, "ingress")
    netlink.delete_filter(link, ours)
    assert [str(d) for d in clsact_rig.drift()] == [
        f"from_pod on {one.ifname} (clsact ingress): our filter was removed"
    ]
    assert len(clsact_rig.call(clsact_rig.datapath.repair)) == 1
    assert clsact_rig.drift() == []
    assert send(one, two, 5) == 5
    assert clsact_rig.tallied("from_pod") == 5


def test_a_qdisc_that_somebody_removed_is_repaired(clsact_rig: Rig) -> None:
    """With it went both filters."""
    pod = clsact_rig.add_pod()
    both = lib.BPF_TC_INGRESS | lib.BPF_TC_EGRESS
    clsact_rig.call(lib.axn_tc_destroy, pod.ifindex, both)
    assert len(clsact_rig.call(clsact_rig.datapath.repair)) == 2
    assert clsact_rig.drift() == []


def test_a_program_that_somebody_put_into_our_filter_is_named_and_replaced(
    clsact_rig: Rig, foreign: Callable[..., Foreign]
) -> None:
    """The place is ours once we are there."""
    pod = clsact_rig.add_pod()
    foreign().attach_clsact(pod.ifindex, handle=1, priority=1)
    (drift,) = clsact_rig.drift()
    assert "our filter runs program" in str(drift)
    assert "(foreign_tc)" in str(drift)
    clsact_rig.call(clsact_rig.datapath.repair)
    assert clsact_rig.drift() == []
