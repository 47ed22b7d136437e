# SPDX-License-Identifier: Apache-2.0
"""What `axoneme explain` says where a stranger's plugin decides."""

from __future__ import annotations

import os

import pytest

from axoneme.lab import Lab, Settings


@pytest.fixture
def lab():
    """One node with two pods, and portguard beside tc."""
    lab = Lab(f"g{os.getpid()}")
    lab.up(Settings(1, plugins=("tc", "ipam", "portguard")))
    yield lab
    lab.down()


def test_its_drop_is_no_matter_of_policies(lab):
    """The stage is told, the plugin and its reason, and no advice about rules is given."""
    for name in ("client", "server"):
        lab.add_pod(name)
    (node,) = lab.nodes
    closed = f"{lab.pod('server').addresses[0]}:8080/tcp"
    with node.config.open("a") as config:
        config.write(f'[portguard]\nclosed = ["{closed}"]\n')
    node.ask("reload")
    answer = node.ask("explain", source="client", target="server:8080")
    refusal = answer["refusal"]
    told = (refusal["plugin"], refusal["stage"], refusal["reason"]["name"])
    assert told == ("portguard", "policy", "portguard_closed_port")
    assert answer["advice"] == []
    other = node.ask("explain", source="client", target="server:8081")
    assert other["verdict"] == "allowed"
