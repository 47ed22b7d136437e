# SPDX-License-Identifier: Apache-2.0
"""Timeouts, and what the settings make of them."""

from __future__ import annotations

import pytest

from axoneme.datapath.clock import units
from axoneme_tc.config import TcConfig
from axoneme_tc.plugin import axoneme_objects


@pytest.mark.parametrize("value", [0, -1, "0s", "999ms", "9000h", "never"])
def test_a_timeout_that_makes_no_sense_is_refused(value):
    """Too short, too long, or none at all."""
    with pytest.raises(ValueError, match=r"from 1 second to 366 days|no span of time"):
        TcConfig(bpf_ct_timeout_regular_tcp=value)


@pytest.mark.parametrize("value", [0, 1 << 32])
def test_a_map_of_fragments_has_a_size_that_can_be(value):
    """From one entry on."""
    with pytest.raises(ValueError, match="must be 1 to"):
        TcConfig(bpf_fragments_map_max=value)


def test_timeouts_reach_the_object_in_its_units():
    """The defaults are those that the object has by itself."""
    found = {item.source.name: item for item in axoneme_objects(TcConfig())}
    assert found["track.bpf.o"].knobs == {
        "tc_trace_interval": units(5),
        "tc_trace_flags": 0x07,
        "tc_timeout_tcp": units(8000),
        "tc_timeout_tcp_syn": units(60),
        "tc_timeout_tcp_fin": units(10),
        "tc_timeout_any": units(60),
        "tc_timeout_any_new": units(30),
    }
    off = {item.source.name for item in axoneme_objects(TcConfig(track=False))}
    assert not off & {"track.bpf.o", "collect.bpf.o"}
