# SPDX-License-Identifier: Apache-2.0
"""The store: an address is claimed once, never half written, and reads back as it was."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axoneme import StateError
from axoneme.ipam import Allocation, AllocationStore
from axoneme.ipam.allocation import decode, encode

ONE = ip_address("10.0.1.2")
WEB = Allocation(ONE, "default", "0a1b/eth0", "default/web", 1767225600.25)
NAMES = st.text(min_size=1, max_size=20)


@pytest.fixture
def store(tmp_path):
    return AllocationStore(tmp_path / "node")


def test_the_form_of_an_entry_stays_as_it_is(store):
    """What rests after an update was written before it: another form needs another number."""
    rests = Allocation(ip_address("fd00::2"), "a b", "0a1b/eth0", "default/web", 1.5, 1767225630.0)
    assert store.claim(WEB)
    assert store.claim(rests)
    links = {path.name: str(path.readlink()) for path in store.directory.iterdir()}
    assert links == {
        "10.0.1.2": "1 default 0a1b/eth0 default/web 1767225600.25 0.0",
        "fd00::2": "1 a%20b 0a1b/eth0 default/web 1.5 1767225630.0",
    }
    assert store.read().allocations == (WEB, rests)


@given(NAMES, NAMES, st.text(max_size=20), st.floats(0, 1e12), st.floats(0, 1e12))
def test_nothing_in_a_name_breaks_the_reading(pool, owner, pod, since, released):
    """Whatever a runtime or a plugin calls things."""
    one = Allocation(ONE, pool, owner, pod, since, released)
    assert decode(ONE, encode(one)) == one


@pytest.mark.parametrize("name", ["a//eth0", "../../x", "./y", " ", "a\nb", "\udc80", "é/%20"])
def test_a_link_is_words_and_no_path(store, name):
    """Nothing is made shorter on its way through the file system."""
    one = Allocation(ONE, name, name, name, 1.0)
    assert store.claim(one)
    assert store.read().allocations == (one,)


def test_an_address_is_claimed_once(store):
    """Until it is forgotten; it can be replaced at any time."""
    assert store.claim(WEB)
    other = Allocation(ONE, "default", "ffff/eth0", "default/db", 2.0)
    assert not store.claim(other)
    assert store.read().allocations == (WEB,)
    store.replace(other)
    assert store.read().allocations == (other,)
    store.forget(ONE)
    store.forget(ONE)
    assert store.claim(WEB)


_CLAIM_ALL = """
import sys
from ipaddress import ip_network
from pathlib import Path
from axoneme.ipam import Allocation, AllocationStore
store = AllocationStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for address in ip_network("10.0.0.0/22"):
    if store.claim(Allocation(address, "default", sys.argv[2], "default/web", 1.0)):
        print(address)
"""


def test_two_processes_never_claim_one_address(store):
    """Each address has one owner, and both processes know which."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _CLAIM_ALL, str(store.directory), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in processes]
    assert sorted(said[0] + said[1]) == sorted(str(a.address) for a in store.read().allocations)
    assert len(said[0]) + len(said[1]) == 1024
    owners = {str(one.address): one.owner for one in store.read().allocations}
    assert {owners[address] for address in said[0]} <= {"one"}
    assert {owners[address] for address in said[1]} <= {"two"}


@pytest.mark.parametrize(
    ("name", "target", "text"),
    [
        ("10.0.1.2", "nonsense", "'nonsense' is not 1, pool, owner, pod and two times"),
        ("10.0.1.2", "2 default a/eth0 d/p 1.0 0.0", "is not 1, pool"),
        ("10.0.1.2", "1 default a/eth0 d/p 1.0", "is not 1, pool"),
        ("10.0.1.2", "1 default  d/p 1.0 0.0", "has no owner"),
        ("10.0.1.2", "1 default a/eth0 d/p nan 0.0", "nan is no time"),
        ("10.0.1.2", "1 default a/eth0 d/p 1.0 -5", "-5 is no time"),
        ("10.0.1.2", "1 default a/eth0 d/p soon 0.0", "soon"),
        ("FD00::2", "1 default a/eth0 d/p 1.0 0.0", "is fd00::2 written in another way"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named_and_its_address_withheld(store, name, target, text):
    """It stays where it is, and the others are read."""
    (store.directory / name).symlink_to(target)
    store.claim(Allocation(ip_address("10.0.1.9"), "default", "a/eth0", "d/p", 1.0))
    stored = store.read()
    assert [str(one.address) for one in stored.allocations] == ["10.0.1.9"]
    (problem,) = stored.problems
    assert text in problem.message
    assert problem.file == str(store.directory / name)
    assert stored.withheld == {ip_address(name): problem}
    assert (store.directory / name).is_symlink()


def test_a_file_and_what_is_called_by_no_address_are_named(store):
    """Somebody put them there."""
    (store.directory / "10.0.1.2").write_text("mine")
    (store.directory / "notes").mkdir()
    stored = store.read()
    file, notes = sorted(map(str, stored.problems))
    assert "10.0.1.2: is no symbolic link (Invalid argument): nobody gets 10.0.1.2 until" in file
    assert notes.endswith("notes: is called by no address: remove it")
    assert [*stored.withheld] == [ONE]
    assert not store.claim(WEB)


def test_what_a_killed_writer_left_is_removed(store):
    """It never had its name, so that nobody reads it."""
    (store.directory / ".10.0.1.2.99").symlink_to(encode(WEB))
    assert store.read().allocations == ()
    assert [*store.directory.iterdir()] == []


def test_a_directory_that_cannot_be_used_is_named(tmp_path):
    """So is a name that is too long for the file system."""
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="file/node: cannot be used: Not a directory"):
        AllocationStore(tmp_path / "file" / "node")
    store = AllocationStore(tmp_path / "node")
    with pytest.raises(StateError, match=r"10.0.1.2: cannot be used: File name too long"):
        store.claim(Allocation(ONE, "default", "x" * 5000, "default/web", 1.0))
    store.directory.rmdir()
    with pytest.raises(StateError, match="No such file"):
        store.read()
