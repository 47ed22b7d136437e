# SPDX-License-Identifier: Apache-2.0
"""Endpoints in files: they come back as they were, and what is wrong is named."""

from __future__ import annotations

import json
import os
import time
from ipaddress import IPv4Address, IPv6Address

import pytest
from attrs import evolve

from axoneme import StateError
from axoneme.model.labels import Labels, pod_labels
from axoneme.model.policy import NamedPort
from axoneme.sources import EndpointRecord

WEB = EndpointRecord(
    id=7,
    name="web-1.blue",
    namespace="default",
    ifname="axn7",
    mac=b"\x02\0\0\0\0\x07",
    addresses=(IPv4Address("10.0.0.7"), IPv6Address("fd00::7")),
    identity=300,
    labels=pod_labels("default", {"app": "web"}, {"team": "a"}),
    node="one",
    named_ports=(NamedPort("http", 6, 8080), NamedPort("dns", 17, 53)),
)
DB = evolve(
    WEB, id=8, name="db", addresses=(IPv4Address("10.0.0.8"),), named_ports=(), ifname="axn8"
)


def test_an_endpoint_comes_back_as_it_was_written(source):
    """Every field survives its file, and the node's endpoints are found by its name."""
    elsewhere = evolve(DB, node="two", id=7)
    source.write(WEB)
    source.write(elsewhere)
    read = source.read()
    assert read.problems == ()
    assert set(read.records) == {WEB, elsewhere}
    assert read.of_node("one") == (WEB,)


def test_a_file_has_the_form_of_the_resource(source):
    """Tools for CiliumEndpoint find what they look for."""
    source.write(WEB)
    resource = json.loads((source.endpoints / "default.web-1.blue.json").read_bytes())
    assert (resource["apiVersion"], resource["kind"]) == ("cilium.io/v2", "CiliumEndpoint")
    assert resource["status"]["networking"]["addressing"] == [
        {"ipv4": "10.0.0.7", "ipv6": "fd00::7"}
    ]
    assert "k8s:app=web" in resource["status"]["identity"]["labels"]
    assert resource["status"]["named-ports"][1] == {"name": "dns", "port": 53, "protocol": "UDP"}


def test_an_endpoint_that_is_deleted_is_gone(source):
    """Deleting it again is no error."""
    source.write(WEB)
    source.delete("default", "web-1.blue")
    source.delete("default", "web-1.blue")
    assert source.read().records == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"x":' * 100_000,
        b'{"metadata": {"name": "bad"}, "status": {"id": "x"}}',
    ],
    ids=["empty", "half", "list", "bytes", "deep", "deep and unknown", "wrong type"],
)
def test_garbage_is_named_and_disturbs_nothing(source, content):
    """The file is in the problem, and the other endpoints are read."""
    source.write(WEB)
    bad = source.endpoints / "default.bad.json"
    bad.write_bytes(content)
    read = source.read()
    assert read.records == (WEB,)
    assert [problem.file for problem in read.problems] == [str(bad)]


@pytest.mark.parametrize(
    ("where", "value", "text"),
    [
        (("metadata", "name"), "other", "speaks of default.other"),
        (("metadata", "annotations"), {}, "axoneme.dev/interface"),
        (("metadata", "annotations", "axoneme.dev/mac"), "02:00", "must be a MAC address"),
        (("status", "id"), 0, "status.id must be 1"),
        (("status", "identity", "id"), -1, "status.identity.id"),
        (("status", "identity", "labels"), ["app=web"], "where it is from"),
        (("status", "networking", "addressing"), [], "has no address"),
        (("status", "networking", "addressing"), [{"ipv4": "10.0.0.300"}], "10.0.0.300"),
        (("status", "networking", "addressing"), [{"ipv6": "::ffff:10.0.0.3"}], "in disguise"),
        (("status", "named-ports"), [{"name": "a", "port": 1, "protocol": "X"}], "named-ports"),
        (("status", "named-ports"), [{"name": "a", "port": 0}], "named-ports"),
    ],
)
def test_a_wrong_field_is_named(source, where, value, text):
    """What no endpoint can have is a problem with file and field, and no endpoint."""
    source.write(WEB)
    path = source.endpoints / "default.web-1.blue.json"
    resource = json.loads(path.read_bytes())
    place = resource
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    path.write_text(json.dumps(resource))
    read = source.read()
    assert read.records == ()
    (problem,) = read.problems
    assert str(path) in str(problem)
    assert text in str(problem)


def test_what_is_no_file_is_named(source):
    """A directory, or a pipe that nobody writes into, does not stop the reader."""
    source.write(WEB)
    (source.endpoints / "default.dir.json").mkdir()
    os.mkfifo(source.endpoints / "default.pipe.json")
    read = source.read()
    assert read.records == (WEB,)
    assert len(read.problems) == 2


def test_an_id_or_an_address_belongs_to_one_endpoint(source):
    """The second is named with the first, and left out; ids are those of one node."""
    source.write(DB)
    source.write(evolve(WEB, name="same-id", id=8))
    source.write(evolve(DB, name="same-ip", id=9))
    source.write(evolve(WEB, name="elsewhere", id=8, node="two"))
    read = source.read()
    assert {record.name for record in read.records} == {"db", "elsewhere"}
    by_id, by_address = map(str, read.problems)
    assert "endpoint id 8 belongs to default/db already" in by_id
    assert "address 10.0.0.8 belongs to default/db already" in by_address


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ("default", "../x"),
        ("default", ".x"),
        ("default", ""),
        ("default", "a" * 254),
        ("default", "a\0b"),
        ("default", "é"),
        ("../..", "x"),
        ("a.b", "x"),
        ("", "x"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(source, namespace, name):
    """A pod's name comes from outside: it must not choose the file."""
    with pytest.raises(StateError, match="cannot be called"):
        source.write(evolve(WEB, namespace=namespace, name=name))
    source.delete(namespace, name)
    assert list(source.endpoints.iterdir()) == []


@pytest.mark.parametrize("name", ["a" * 253, "Sleepy_Name.x", "-".join("ab" * 60)])
def test_long_and_odd_names_have_files(source, name):
    """What a runtime calls a container may be longer than a file's name can be."""
    long, other = (evolve(WEB, name=name), evolve(DB, name=name[:-1] + "z"))
    source.write(long)
    source.write(other)
    read = source.read()
    assert read.problems == ()
    assert set(read.records) == {long, other}
    source.delete("default", name)
    assert source.read().records == (other,)


def test_a_label_that_no_file_can_have_is_refused(source):
    """It would come back as another, and mean another identity."""
    odd = evolve(WEB, labels=Labels.of({"k8s:a=b": "c"}))
    with pytest.raises(StateError, match="k8s:a=b"):
        source.write(odd)


def test_a_file_that_cannot_be_written_is_named(source):
    """A full disk, or a directory that is gone, is an error of ours, with the file."""
    source.endpoints.rmdir()
    with pytest.raises(StateError, match=r"default.db.json: cannot be written: No such file"):
        source.write(DB)
    assert source.read().records == ()


def test_drafts_are_passed_over_and_old_ones_removed(source):
    """A writer that was killed leaves a draft: no reader takes it for an endpoint."""
    source.write(WEB)
    young, old = source.endpoints / ".default.a.json.1.0", source.endpoints / ".default.b.json.1.0"
    for draft in (young, old):
        draft.write_text("{")
    lock = source.endpoints / ".a.lock"
    lock.touch()
    for path in (old, lock):
        os.utime(path, (time.time() - 7200,) * 2)
    assert source.read().problems == ()
    source.create()
    assert young.exists()
    assert lock.exists()
    assert not old.exists()


def test_only_files_that_changed_are_read_again(source, monkeypatch):
    """With 1,000 endpoints one change costs one file."""
    source.write(WEB)
    source.write(DB)
    for path in source.endpoints.iterdir():
        os.utime(path, ns=(1, time.time_ns() - 10**9))
    first = {record.name: record for record in source.read().records}
    source.write(evolve(WEB, identity=301))
    second = {record.name: record for record in source.read().records}
    assert second["web-1.blue"].identity == 301
    assert second["db"] is first["db"]


def test_a_file_written_twice_in_one_tick_is_read_twice(source):
    """A file of the same size and time may have another content while it is young."""
    path = source.endpoints / "default.web-1.blue.json"
    source.write(WEB)
    for identity in (301, 302, 303, 304):
        text = path.read_text()
        status = path.stat()
        path.write_text(text.replace(str(source.read().records[0].identity), str(identity)))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert source.read().records[0].identity == identity
