# SPDX-License-Identifier: Apache-2.0
"""How long sockets remember: never so long that their connection could be forgotten meanwhile."""

from __future__ import annotations

import pytest

from axoneme.datapath.clock import jiffies
from axoneme_tc.config import Aggregation, TcConfig, TcpFlag
from axoneme_tc.plugin import axoneme_objects


def objects(**settings):
    """The objects by name that settings ask for."""
    return {item.source.name: item for item in axoneme_objects(TcConfig(**settings))}


@pytest.mark.parametrize(
    "name",
    [
        "bpf_ct_timeout_regular_tcp",
        "bpf_ct_timeout_regular_tcp_syn",
        "bpf_ct_timeout_regular_tcp_fin",
        "bpf_ct_timeout_regular_any",
        "bpf_ct_timeout_regular_any_unreplied",
    ],
)
def test_a_lease_longer_than_half_of_a_timeout_is_refused(name):
    """Packets that are recalled do not renew their connection; the sentence names both keys."""
    key = name.replace("_", "-")
    text = rf"^socket-cache-lease \(4s\) must be at most half of {key} \(7s\)"
    with pytest.raises(ValueError, match=text):
        TcConfig(**{name: "7s"})
    assert TcConfig(**{name: "8s"})
    assert TcConfig(**{name: "7s"}, socket_cache_lease="3500ms")
    assert TcConfig(**{name: "7s"}, socket_cache=False)


@pytest.mark.parametrize("value", [0, -1, "9ms", "soon", "9000h"])
def test_a_lease_that_makes_no_sense_is_refused(value):
    """Too short for the clock, too long, or none at all."""
    with pytest.raises(ValueError, match=r"from 10 milliseconds to 366 days|no span of time"):
        TcConfig(socket_cache_lease=value)


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_a_number_of_segments_is_one(value):
    """From none on."""
    with pytest.raises(ValueError, match="must be 0 to"):
        TcConfig(socket_cache_after=value)


def test_settings_reach_the_object():
    """In jiffies, segments, and the flags that track tells of beside those that it must see."""
    assert objects()["recall.bpf.o"].knobs == {
        "tc_socket_lease": 4 * jiffies().hz,
        "tc_socket_after": 8,
        "tc_socket_flags": 0x07,
    }
    changed = objects(
        socket_cache_lease="0.5s",
        socket_cache_after=0,
        monitor_aggregation_flags=(TcpFlag.ACK,),
    )
    assert changed["recall.bpf.o"].knobs == {
        "tc_socket_lease": jiffies().hz // 2,
        "tc_socket_after": 0,
        "tc_socket_flags": 0x17,
    }


@pytest.mark.parametrize("all_", [Aggregation.NONE, Aggregation.LOW])
def test_nothing_is_recalled_where_every_packet_is_told_of(all_):
    """What is recalled is told of by nobody."""
    assert "recall.bpf.o" not in objects(monitor_aggregation=all_)
    assert "recall.bpf.o" in objects(monitor_aggregation=Aggregation.MAXIMUM)


@pytest.mark.parametrize("off", ["socket_cache", "track"])
def test_there_is_no_object_where_it_is_off(off):
    """Nor without connection tracking, by which it knows what is established."""
    assert "recall.bpf.o" not in objects(**{off: False})
