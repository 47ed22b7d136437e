# SPDX-License-Identifier: Apache-2.0
"""What an agent does when the files that agents share change: what is needed, and no more."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from attrs import evolve

from axoneme.agent import addresses
from axoneme.agent import cluster as module
from axoneme.agent.cluster import Cluster
from axoneme.model import pack_address
from axoneme.sources import EmbeddedSource, EndpointRecord
from axoneme.testing.pipelines import Pipeline

FAR = ip_address("10.77.0.5")


@pytest.fixture
def source(tmp_path):
    """Another agent's hand in the state directory."""
    made = EmbeddedSource(tmp_path / "state")
    made.create()
    return made


@pytest.fixture
def cluster(node, tmp_path, source):
    """The cluster of a node with a pod, all in effect; calls are made in the node."""
    toml = f'node-name = "one"\nmanifests-dir = "{tmp_path}"\nstate-dir = "{source.state}"'
    with Pipeline(node, ["tc"], toml) as pipeline:
        made = node.call(Cluster.open, pipeline.engine, EmbeddedSource(source.state))
        node.call(made.sync_nodes)
        node.call(add, made, node.add_pod("web"))
        node.call(made.sync_endpoints)
        yield made


def add(cluster, pod):
    """Add a pod as the CNI does."""
    endpoint = pod.endpoint(cluster.of("default", pod.name, {"app": "web"}))
    cluster.attach(endpoint)
    cluster.write(endpoint)


@pytest.fixture
def rounds(monkeypatch):
    """How often all endpoints of the node were compared, and all addresses of the cluster."""
    made = []

    def noting(function):
        def call(*args):
            made.append(function.__name__)
            return function(*args)

        return call

    for place, name in ((module, "sync_endpoints"), (addresses, "host_addresses")):
        monkeypatch.setattr(place, name, noting(getattr(place, name)))
    return made


def known(cluster, address):
    """The identity of an address in the map."""
    row = cluster.engine.datapath.table("ipcache").get(pack_address(address))
    return row and row["identity"]


def test_what_a_node_wrote_itself_is_not_looked_at_again(node, cluster, rounds):
    """A pod comes and goes without a round over all the others."""
    pod = node.add_pod("more")
    node.call(add, cluster, pod)
    node.call(cluster.follow_endpoints)
    assert known(cluster, pod.ipv4) == cluster.engine.datapath.endpoints[pod.number].identity
    node.call(cluster.detach, pod.number)
    node.call(cluster.delete, "default", "more")
    node.call(cluster.follow_endpoints)
    assert known(cluster, pod.ipv4) is None
    assert rounds == []


def test_what_another_made_of_a_file_of_ours_is_seen(node, cluster, source, rounds):
    """Also right after we wrote it."""
    (record,) = source.read().records
    source.write(evolve(record, identity=4000))
    node.call(cluster.follow_endpoints)
    (endpoint,) = cluster.engine.datapath.endpoints.values()
    assert endpoint.identity == known(cluster, record.addresses[0]) == 4000
    source.delete("default", "web")
    node.call(cluster.follow_endpoints)
    assert cluster.engine.datapath.endpoints == {}
    assert known(cluster, record.addresses[0]) is None
    assert rounds


def test_a_pod_of_another_node_costs_no_round(node, cluster, source, rounds):
    """Its addresses are known and forgotten alone."""
    record = EndpointRecord(1, "far", "default", "axn9", bytes(6), (FAR,), 3000, node="two")
    source.write(record)
    node.call(cluster.follow_endpoints)
    assert known(cluster, FAR) == 3000
    source.write(evolve(record, identity=3001, addresses=(FAR + 1,)))
    node.call(cluster.follow_endpoints)
    assert (known(cluster, FAR), known(cluster, FAR + 1)) == (None, 3001)
    source.delete("default", "far")
    node.call(cluster.follow_endpoints)
    assert known(cluster, FAR + 1) is None
    assert rounds == []


def test_a_pod_that_has_a_nodes_address_does_not_take_it_along(node, cluster, source):
    """Who writes nonsense into the state directory loses that only."""
    own = node.addresses[0]
    record = EndpointRecord(1, "far", "default", "axn9", bytes(6), (own,), 3000, node="two")
    source.write(record)
    node.call(cluster.follow_endpoints)
    assert known(cluster, own) == 1
    source.delete("default", "far")
    node.call(cluster.follow_endpoints)
    assert known(cluster, own) == 1
