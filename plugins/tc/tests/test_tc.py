# SPDX-License-Identifier: Apache-2.0
"""The tc plugin on packets of our making, and between two real pods."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.axoneme_plugin("tc")


def test_two_pods_of_a_node_talk(pipeline):
    """Requests and replies cross in both families, each redirected into the other pod."""
    one, two = pipeline.add_pod("one"), pipeline.add_pod("two")
    two.serve(8080)
    for address in two.addresses:
        assert one.request(address, 8080, b"hello") == b"hello"
    verdicts = {c.verdict.name: c.packets for c in pipeline.node.call(pipeline.datapath.counts)}
    assert verdicts["REDIRECT"] > 10
    assert pipeline.drop_reasons() == {}
