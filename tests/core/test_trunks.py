# SPDX-License-Identifier: Apache-2.0
"""Core's half of the C ABI's rules: what trunks leave of the stack, what structs may weigh."""

from __future__ import annotations

import pytest

from axoneme.datapath.images import IMAGES, all_stages, trunk_object

PACKET_BYTES, FRAME_BYTES = 160, 256
TRUNKS = [(image, trunk.name) for image in IMAGES for trunk in trunk_object(image).trunks]


@pytest.mark.parametrize(("image", "name"), TRUNKS)
def test_a_trunks_frame_leaves_room_for_stages(image, name):
    """256 bytes with struct packet in it; 192 are a stage's, and the verifier allows 512 in all."""
    assert trunk_object(image).declarations.functions[name].charged <= FRAME_BYTES


def test_struct_packet_has_room_to_grow():
    """At its end, up to 160 bytes, within one ABI number."""
    btf = trunk_object("tc").declarations.btf
    assert btf.find("struct", "packet").size <= PACKET_BYTES


def test_the_stages_of_the_header_are_those_of_the_trunks():
    """A stage that AXN_STAGE accepts is run by a trunk, and the other way round."""
    names = trunk_object("tc").declarations.btf.enumerators("axn_stage")
    assert {name.removeprefix("AXN_STAGE_") for name in names} == set(all_stages())


@pytest.mark.parametrize("image", IMAGES)
def test_every_stage_of_a_trunk_has_eight_lanes(image):
    """A gate, and a weak function for each lane."""
    declarations = trunk_object(image).declarations
    gates = declarations.btf.variables(".rodata")
    for stage in trunk_object(image).stages:
        assert f"lanes_{stage}" in gates
        lanes = [f"stage_{stage}_{n}" for n in range(8)]
        assert set(lanes) <= declarations.functions.keys()
