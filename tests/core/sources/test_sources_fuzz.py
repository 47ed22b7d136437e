# SPDX-License-Identifier: Apache-2.0
"""Whatever is in a state file, it is read or named, and its neighbour is read."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axoneme.model import NodeIpam
from axoneme.model.labels import Labels
from axoneme.model.node import NodeRecord
from axoneme.sources import EmbeddedSource, EndpointRecord

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
#: Texts that a field may take for what it wants, and nearly so.
WORDS = st.sampled_from(
    [
        "10.0.0.1",
        "10.0.0.0/24",
        "fd00::/64",
        "::ffff:1.2.3.4",
        "fe80::1%x",
        "InternalIP",
        "TCP",
        "k8s:a=b",
        "=",
        ":",
        "any:x",
        "\ud800",
        "0a:58:0a:01:00:02",
        "99999999999999999999",
    ]
)
VALUE = JSON | WORDS | st.lists(WORDS, max_size=3)


@st.composite
def damaged(draw, resource):
    """A resource of which one or two fields are something else, or missing, or more."""
    resource = json.loads(resource)
    for _ in range(draw(st.integers(1, 2))):
        place = resource
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], (dict, list)) and draw(st.booleans()):
                place = place[key]
                continue
            if isinstance(place, dict) and draw(st.booleans()):
                del place[key]
            else:
                place[key] = draw(VALUE)
            break
    return json.dumps(resource).encode()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A state directory with one good file of each kind, and their readers."""
    source = EmbeddedSource(tmp_path_factory.mktemp("state"))
    source.create()
    ip, cidr = ip_address("10.0.0.9"), ip_network("10.9.0.0/24")
    source.nodes.write(NodeRecord("a", (ip,), NodeIpam((cidr,)), 1))
    labels = Labels.of({"k8s:app": "web"})
    source.write(EndpointRecord(9, "a", "a", "axn9", b"\x02\0\0\0\0\x09", (ip,), 256, labels))
    source.identities.of(labels)
    return source


GOOD = {
    "nodes/b.json": b'{"metadata": {"name": "b", "annotations": {"axoneme.dev/node-id": "2"}}, '
    b'"spec": {"addresses": [{"type": "InternalIP", "ip": "10.0.0.1"}], '
    b'"ipam": {"podCIDRs": ["10.8.0.0/24"]}}}',
    "endpoints/b.b.json": b'{"metadata": {"name": "b", "namespace": "b", "annotations": '
    b'{"axoneme.dev/interface": "axn1", "axoneme.dev/mac": "02:00:00:00:00:01"}}, '
    b'"status": {"id": 1, "identity": {"id": 256, "labels": ["k8s:app=web"]}, "networking": '
    b'{"addressing": [{"ipv4": "10.0.0.1"}]}, "named-ports": [{"name": "a", "port": 1}]}}',
    "identities/257.json": b'{"metadata": {"name": "257"}, "security-labels": {"k8s:app": "db"}}',
}


def counts(source):
    nodes, endpoints, identities = source.nodes.read(), source.read(), source.identities.read()
    for read in (nodes, endpoints, identities):
        assert all(str(problem) for problem in read.problems)
    assert {n.name for n in nodes.records} >= {"a"}
    assert {e.name for e in endpoints.records} >= {"a"}
    assert 256 in identities.identities
    return [
        len(nodes.records) + len(nodes.problems),
        len(endpoints.records) + len(endpoints.problems),
        len(identities.identities) + len(identities.problems),
    ]


@pytest.mark.parametrize("name", GOOD)
def test_what_is_damaged_below_is_right_at_first(whole, name):
    """Else the next tests would try nothing."""
    path = whole.state / name
    path.write_bytes(GOOD[name])
    try:
        assert sum(counts(whole)) == 4
        reads = (whole.nodes.read(), whole.read(), whole.identities.read())
        assert not any(read.problems for read in reads)
    finally:
        path.unlink()


@pytest.mark.parametrize("name", GOOD)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_damaged_file_is_read_or_named(whole, name, data):
    """One file more is one record or one problem more, and nothing is raised."""
    path = whole.state / name
    path.write_bytes(data.draw(st.binary(max_size=60) | damaged(GOOD[name])))
    try:
        assert sum(counts(whole)) == 4
    finally:
        path.unlink()
