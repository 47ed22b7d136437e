# SPDX-License-Identifier: Apache-2.0
"""What an agent writes down of its pods, and finds again."""

from __future__ import annotations

import stat
from ipaddress import ip_address

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axoneme.cni import Attachment, Attachments

ONE = Attachment(
    container_id="c0ffee",
    ifname="eth0",
    network="axoneme",
    netns="/run/netns/a",
    namespace="shop",
    name="web-0",
    endpoint=7,
    node_ifname="axn001122334455",
    mac=b"\x0a\x58\x0a\x01\0\x02",
    node_mac=b"\x0e\x58\x0a\x01\0\x02",
    addresses=(ip_address("10.1.0.2"), ip_address("fd00::2")),
    identity=300,
    mtu=1500,
    route_mtu=1450,
)


def test_an_attachment_is_found_again_by_the_next_agent(tmp_path):
    """As it was, and as what it was last."""
    first = Attachments(tmp_path)
    first.put(ONE)
    assert Attachments(tmp_path).get("c0ffee", "eth0") == ONE
    first.put(ONE.completed())
    again = Attachments(tmp_path)
    assert again.all() == (ONE.completed(),)
    assert again.of_pod("shop", "web-0") == again.all()
    assert again.of_pod("shop", "web-1") == ()


def test_what_is_deleted_is_not_found_again(tmp_path):
    """And deleting it once more is no error."""
    kept = Attachments(tmp_path)
    other = evolve(ONE, ifname="eth1")
    for one in (ONE, other):
        kept.put(one)
    for _ in range(2):
        kept.delete(ONE)
    assert kept.all() == Attachments(tmp_path).all() == (other,)


def test_the_directories_are_for_root_only(tmp_path):
    """The one above, which is the agent's, too."""
    Attachments(tmp_path / "run" / "attachments")
    for path in (tmp_path / "run", tmp_path / "run" / "attachments"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"ifname": 5}', b"\xff\xfe"])
def test_a_file_that_says_nothing_is_named_and_the_others_count(tmp_path, data):
    """One damaged file must not cost the node its pods."""
    Attachments(tmp_path).put(ONE)
    bad = tmp_path / "bad@eth0.json"
    bad.write_bytes(data)
    again = Attachments(tmp_path)
    assert again.all() == (ONE,)
    (problem,) = again.problems
    assert str(bad) in str(problem)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary() | st.text().map(str.encode), st.integers(0, 400), st.binary(max_size=4))
def test_no_damage_to_a_file_raises(tmp_path, garbage, at, patch):
    """Neither garbage nor a good file with some bytes of another value."""
    kept = Attachments(tmp_path)
    kept.put(ONE)
    path = tmp_path / "c0ffee@eth0.json"
    good = path.read_bytes()
    for data in (garbage, good[:at] + patch + good[at + len(patch) :]):
        path.write_bytes(data)
        again = Attachments(tmp_path)
        assert len(again.all()) + len(again.problems) == 1
