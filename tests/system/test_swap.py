# SPDX-License-Identifier: Apache-2.0
"""Hot swaps: traffic goes on, and a swap that fails leaves all as it was."""

from __future__ import annotations

from socket import SOCK_DGRAM, SOCK_STREAM
from typing import TYPE_CHECKING

import pytest
from tests.system.objects import gate, idle, wild
from tests.system.rig import Rig, tally
from tests.system.traffic import PORT, Sender, arrived, listen, send

from axoneme.datapath import Device
from axoneme.errors import AttachError
from axoneme.host import entry_points
from axoneme.testing import Node, fake_plugin, join, scaled
from axoneme.testing.pipelines import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.system.foreign import Foreign

SWAPS = 10


@pytest.fixture
def pipeline(node: Node) -> Iterator[Pipeline]:
    """The tc plugin at work, and the gate installed."""
    plugin = fake_plugin("gate", gate(443))
    with Pipeline(node, ["tc"], entry_points=lambda: [*entry_points(), plugin]) as made:
        yield made


def test_no_datagram_is_lost_while_a_plugin_comes_and_goes(pipeline: Pipeline) -> None:
    """Ten swaps under load; all that was sent arrives."""
    one, two = pipeline.add_pod(), pipeline.add_pod()
    with listen(two) as listener, one.socket(kind=SOCK_DGRAM) as source:
        sender = Sender(source, (str(two.ipv4), PORT))
        sender.start()
        for n in range(SWAPS):
            plugins = ["tc"] if n % 2 else ["gate", "tc"]
            assert pipeline.configure("", plugins=plugins).swap is not None
        sent = sender.end()
        assert arrived(listener, sent) == sent
    assert sent > 0
    assert pipeline.drop_reasons() == {}


def test_an_open_connection_goes_on_while_a_plugin_comes_and_goes(pipeline: Pipeline) -> None:
    """What is sent before, between and after the swaps comes back."""
    one, two = pipeline.add_pod(), pipeline.add_pod()
    two.serve(8080)
    with one.socket(kind=SOCK_STREAM) as client:
        client.settimeout(scaled(5))
        client.connect((str(two.ipv4), 8080))
        for n in range(SWAPS):
            pipeline.configure("", plugins=["tc"] if n % 2 else ["gate", "tc"])
            client.sendall(b"%d" % n)
            assert client.recv(64) == b"%d" % n


def test_a_plugin_is_in_effect_when_the_swap_returns(pipeline: Pipeline) -> None:
    """From the next packet on, and no more after it is disabled."""
    one, two = pipeline.add_pod(), pipeline.add_pod()
    assert send(one, two, 5, port=443) == 5
    pipeline.configure("", plugins=["gate", "tc"])
    assert send(one, two, 5, port=443) == 0
    assert pipeline.dropped("gate_shut") == 5
    pipeline.configure("", plugins=["tc"])
    assert send(one, two, 5, port=443) == 5


def test_a_knob_takes_its_new_value_by_a_swap(rig: Rig) -> None:
    """The same object with another setting is another program."""
    rig.put(gate=gate(443))
    one, two = rig.add_pod(), rig.add_pod()
    assert (send(one, two, 3, port=443), send(one, two, 3, port=80)) == (0, 3)
    rig.put(gate=gate(80))
    assert (send(one, two, 3, port=443), send(one, two, 3, port=80)) == (3, 0)


def test_a_swap_says_what_it_did(rig: Rig) -> None:
    """Places updated, and the times of linking and loading each image."""
    rig.put()
    rig.add_pod()
    rig.add_pod()
    swap = rig.put(gate=gate())
    assert swap.updated == 4
    assert swap.seconds > 0
    assert set(swap.link_seconds) == set(swap.load_seconds) == {"tc"}


def test_a_swap_updates_links_in_place(rig: Rig, require_feature: Callable[[str], None]) -> None:
    """No link is made or removed."""
    require_feature("tcx")
    rig.put()
    rig.add_pod()
    before = {name: link.id for name, link in rig.links().items()}
    rig.put(gate=gate())
    assert {name: link.id for name, link in rig.links().items()} == before


def test_what_the_verifier_refuses_leaves_the_old_programs_at_work(rig: Rig) -> None:
    """Preparing changes nothing that runs: the same programs, the same drops."""
    rig.put(gate=gate(443))
    one, two = rig.add_pod(), rig.add_pod()
    before = {name: link.program_id for name, link in rig.links().items()}
    assert set(rig.refusals(gate=gate(443), wild=wild())) == {"wild"}
    assert {name: link.program_id for name, link in rig.links().items()} == before
    assert (send(one, two, 3, port=443), send(one, two, 3, port=80)) == (0, 3)


def test_an_assembly_that_is_let_go_leaves_no_map(rig: Rig) -> None:
    """Maps that were made for it are gone with it; those in effect are not."""
    rig.put(tally=tally())
    before = rig.maps()
    rig.call(rig.prepare(tally=tally(), gate=gate()).close)
    assert rig.maps() == before
    assert rig.tallied("from_pod") == 0


class Broken:
    """Two nodes, of which one has a place that the next swap cannot have."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        rig.put(gate=gate(443))
        self.one, self.two, self.gone = rig.add_pod(), rig.add_pod(), rig.add_pod()
        self.before = self.programs()
        self.gone.close()

    def programs(self) -> dict[str, int]:
        """The program of each link of the pods that are there."""
        links = self.rig.links()
        pods = (self.one, self.two)
        names = [f"{t}-{p.ifindex}" for t in ("from_pod", "to_pod") for p in pods]
        return {name: links[name].program_id for name in names}


@pytest.fixture
def broken(rig: Rig, require_feature: Callable[[str], None]) -> Broken:
    """A node that lost the device of its third pod behind our back."""
    require_feature("tcx")
    return Broken(rig)


def test_a_swap_that_fails_at_one_place_is_undone_at_all(broken: Broken) -> None:
    """The error names the place; everywhere else the old programs run, and work."""
    with pytest.raises(AttachError, match=f" on {broken.gone.ifname} "):
        broken.rig.put(gate=gate(80))
    assert broken.programs() == broken.before
    assert send(broken.one, broken.two, 3, port=443) == 0
    assert send(broken.one, broken.two, 3, port=80) == 3


def test_a_swap_succeeds_after_the_place_that_failed_is_gone(broken: Broken) -> None:
    """When the endpoint is removed, the rest is swapped."""
    with pytest.raises(AttachError):
        broken.rig.put(gate=gate(80))
    broken.rig.call(broken.rig.datapath.remove_endpoint, broken.gone.number)
    broken.rig.put(gate=gate(80))
    assert send(broken.one, broken.two, 3, port=80) == 0


def test_a_swap_that_fails_leaves_maps_and_numbers_as_they_were(broken: Broken) -> None:
    """Its own maps are gone, the old ones are there with their rows."""
    send(broken.one, broken.two, 3, port=443)
    before = broken.rig.maps()
    with pytest.raises(AttachError):
        broken.rig.put(gate=gate(443), tally=tally())
    assert broken.rig.maps() == before
    assert broken.rig.dropped("gate_shut") == 3


def test_places_that_only_the_failed_swap_had_are_given_back(
    node: Node, foreign: Callable[..., Foreign]
) -> None:
    """A device beside the one that is taken is as it was before."""
    fence = """
        #include <axoneme/plugin.h>
        AXN_XDP_STAGE(xdp_filter) { return AXN_NEXT; }
    """
    from axoneme.testing import plugin_object

    with Node(number=2) as second, Node(number=3) as third:
        free, taken = join(node, second)[0], join(node, third)[0]
        rig = Rig(node, uplinks=[Device(d.name, d.index) for d in (free, taken)])
        foreign("xdp").attach_xdp(taken.index)
        rig.put(idle=idle())
        before = set(rig.links())
        with pytest.raises(AttachError, match=r"uplink3 .*foreign_xdp"):
            rig.put(fence=plugin_object(fence))
        assert set(rig.links()) == before
        assert rig.drift() == []
        rig.close()
