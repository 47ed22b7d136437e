# SPDX-License-Identifier: Apache-2.0
"""Networks found by what they have in common, as one by one would find them."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from axoneme.sources import Networks

#: Few addresses and all lengths, so that many overlap.
_FOUR = st.builds(
    lambda number, length: ip_network((0x0A000000 + number, length), strict=False),
    st.integers(0, 255),
    st.integers(20, 32),
)
_SIX = st.builds(
    lambda number, length: ip_network(((0xFD << 120) + number, length), strict=False),
    st.integers(0, 255),
    st.integers(118, 128),
)


@given(st.lists(_FOUR | _SIX, max_size=12), _FOUR | _SIX)
def test_one_that_overlaps_is_found(networks, asked):
    """If there is any, and of the same family."""
    found: Networks[int] = Networks()
    for number, network in enumerate(networks):
        found.add(network, number)
    overlapping = {n for n in networks if n.version == asked.version and n.overlaps(asked)}
    answer = found.overlapping(asked)
    if answer is None:
        assert not overlapping
    else:
        assert answer[0] in overlapping
        assert networks[answer[1]] == answer[0]
