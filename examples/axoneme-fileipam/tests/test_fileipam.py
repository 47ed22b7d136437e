# SPDX-License-Identifier: Apache-2.0
"""Fileipam: what a file says is what the node gives and tells."""

from ipaddress import ip_address

import pytest

from axoneme.model import AddressUsage, IpamNode, NodeRecord
from axoneme_fileipam.plugin import FileIpamConfig, axoneme_address_pools, axoneme_node_ipam

NODE = IpamNode(NodeRecord("n1", ()))


@pytest.fixture
def ask(tmp_path):
    def ask(text, *used):
        (tmp_path / "draft").write_text(text)
        config = FileIpamConfig((tmp_path / "draft").replace(tmp_path / "n1").parent)
        (pool,) = axoneme_address_pools(NODE, config)
        usage = AddressUsage(used={ip_address(address): "default/web" for address in used})
        return [*map(str, pool.networks)], axoneme_node_ipam(NODE, usage, config)

    return ask


def test_a_wrong_line_is_named_and_the_rest_serves_until_the_file_changes(ask):
    lines = ["10.9.0.7 # web", "10.9.0.x", "10.9.1.0-10.9.1.2", "9.9.9.9-9.9.9.1", "fd00:9::/126"]
    given, told = ask("\n".join(lines))
    assert given == ["10.9.0.7/32", "10.9.1.0/31", "10.9.1.2/32", "fd00:9::/126"]
    assert "n1:2: '10.9.0.x' does not" in told.error
    assert "n1:4: last IP address must be greater" in told.error
    assert ask("10.9.0.8")[0] == ["10.9.0.8/32"]


def test_other_nodes_learn_of_addresses_that_pods_still_have(ask):
    _, told = ask("10.9.0.8/31", "10.9.0.7", "10.9.0.9")
    assert [*map(str, told.pod_cidrs)] == ["10.9.0.8/31", "10.9.0.7/32"]
