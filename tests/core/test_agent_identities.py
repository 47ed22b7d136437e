# SPDX-License-Identifier: Apache-2.0
"""An agent's share in the identities of the cluster."""

from __future__ import annotations

import os
import shutil
import time
from ipaddress import ip_address

import pytest
from attrs import define, evolve

from axoneme.agent.identities import IdentityKeeper
from axoneme.model.labels import Labels
from axoneme.sources import EmbeddedSource, EndpointRecord

WEB, DB = (Labels.of({"k8s:app": app}) for app in ("web", "db"))
DEVICE = "axn0123456789ab"


@define
class Cluster:
    """What a keeper asks a cluster for."""

    source: EmbeddedSource
    syncs: int = 0

    def own_endpoints(self):
        """All are of this node."""
        return self.source.read().records

    def sync_endpoints(self):
        """Note it."""
        self.syncs += 1


@pytest.fixture
def cluster(tmp_path):
    """A cluster with one pod, and two identities of which it has the first; both are old."""
    source = EmbeddedSource(tmp_path / "state")
    source.create()
    address = (ip_address("10.0.0.2"),)
    number = source.identities.of(WEB)
    source.write(
        EndpointRecord(1, "web", "default", DEVICE, bytes(6), address, number, WEB, node="one")
    )
    source.identities.of(DB)
    make_old(source)
    return Cluster(source)


def make_old(source):
    """Have nobody asked for an identity in a while."""
    for path in source.identities.directory.glob("*.json"):
        os.utime(path, (time.time() - 3600,) * 2)


def numbers(cluster):
    """The identities that there are."""
    return set(cluster.source.identities.read().identities)


def test_what_nobody_uses_goes_when_it_is_time(cluster):
    """Not at every look, and never what a pod has."""
    keeper = IdentityKeeper(cluster, now=iter([0, 10, 301, 301]).__next__)
    assert keeper.keep() == []
    assert numbers(cluster) == {256, 257}
    assert keeper.keep() == []
    assert numbers(cluster) == {256}
    assert cluster.syncs == 0


def test_nothing_goes_while_an_endpoint_cannot_be_read(cluster):
    """It may be the one that has it."""
    broken = cluster.source.endpoints / "default.broken.json"
    broken.write_text("{")
    assert IdentityKeeper(cluster).collect() == ()
    broken.unlink()
    assert IdentityKeeper(cluster).collect() == (257,)


def test_a_pod_whose_identity_was_lost_gets_another(cluster):
    """So that the number it had cannot mean two things; who wrote its own keeps it."""
    source = cluster.source
    (record,) = source.read().records
    source.write(
        evolve(record, id=2, name="own", ifname="eth7", addresses=(ip_address("10.0.0.3"),))
    )
    for directory in (source.identities.directory, source.identities.by_labels):
        shutil.rmtree(directory)
        source.create()
    source.identities.of(DB)
    (found,) = IdentityKeeper(cluster).renew()
    assert found == "identity of default/web: 256 was gone, is 257"
    assert [record.identity for record in source.read().records] == [256, 257]
    assert cluster.syncs == 1
    assert IdentityKeeper(cluster).renew() == []
