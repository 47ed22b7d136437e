# SPDX-License-Identifier: Apache-2.0
"""The ledger: one owner for each address, the same after a restart, and rest after a release."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from tests.core.ipam.made import DEFAULT, QUARANTINE, Node, pool

from axoneme import AddressRefused, PoolExhausted, StateError
from axoneme.ipam import AllocationStore, Ledger
from axoneme.model import AddressPool, AddressRange, AddressRequest, PoolChoice

BOTH = (pool("fd00:0:0:1::/64", "10.0.1.0/24"),)
SMALL = (pool("10.0.1.0/29"),)  # .1 to .6


def reserved(first, last):
    return AddressRange(ip_address(first), ip_address(last))


LOW = reserved("10.0.1.1", "10.0.1.2")


# What a pod gets


def test_an_owner_has_one_address_of_each_family(node):
    """IPv4 first; asked again it has the same; the network's own address is none."""
    node.start(BOTH)
    assert node.add("a") == "10.0.1.1 fd00:0:0:1::1"
    assert node.add("a") == "10.0.1.1 fd00:0:0:1::1"
    assert node.add("b") == "10.0.1.2 fd00:0:0:1::2"
    assert node.ledger.shortage() == ""
    assert node.ledger.problems == ()


@pytest.mark.parametrize(
    ("pools", "given"),
    [
        ((pool("10.0.1.0/24", "fd00::/64", versions=(6,)),), "fd00::1"),
        ((pool("10.0.1.0/24", allow_first=True),), "10.0.1.0"),
        ((pool("10.0.1.7/32"),), "10.0.1.7"),
        ((pool("10.0.1.6/31"),), "10.0.1.6"),
        ((pool("10.0.1.0/24", reserved=[reserved("10.0.0.0", "10.0.1.9")]),), "10.0.1.10"),
        ((pool("fd00::/64", reserved=[reserved("fd00::1", "fd00::ffff:ffff")]),), "fd00::1:0:0"),
        ((pool("10.0.1.0/30", reserved=[reserved("10.0.1.0", "10.0.1.255")]),), None),
        ((pool("10.0.1.7/32", "10.0.0.0/30"), pool("10.0.2.0/24", name="b")), "10.0.1.7"),
        ((pool("10.0.1.0/30", reserved=[LOW], allow_last=True),), "10.0.1.3"),
    ],
)
def test_which_address_comes_first(node, pools, given):
    """As the pool says: families, first and last, what is reserved, its networks in their order."""
    node.start(pools)
    if given is None:
        with pytest.raises(PoolExhausted, match="of 0: no IPv4 address is free: 0 in use"):
            node.add("a")
    else:
        assert node.add("a") == given


def test_every_usable_address_is_given_once(node):
    """Networks of a pool one after the other, without what is reserved."""
    ranges = [reserved("10.0.1.3", "10.0.1.3"), reserved("10.0.1.3", "10.0.1.4")]
    node.start([pool("10.0.1.0/29", "10.0.2.4/30", reserved=ranges)])
    given = [node.add(name).rpartition(".")[2] for name in "abcdef"]
    assert given == ["1", "2", "5", "6", "5", "6"]
    with pytest.raises(PoolExhausted):
        node.add("g")


def test_pools_are_chosen_by_family(node):
    """Each family may be of another pool."""
    node.start([pool("10.0.1.0/24", "fd00:1::/64"), pool("10.0.2.0/24", "fd00:2::/64", name="b")])
    assert node.add("a", choice=PoolChoice("default", "b")) == "10.0.1.1 fd00:2::1"
    assert node.add("b", choice=PoolChoice("b", "b")) == "10.0.2.1 fd00:2::2"
    assert {one.pool for one in node.ledger.allocations()} == {"default", "b"}


def test_a_pool_that_is_not_there_is_refused(node):
    """The rule that chose it is named, and which there are."""
    node.start([pool("10.0.1.0/24", name="blue"), pool(name="red")])
    wrong = PoolChoice("gren", "gren", why="annotation ipam.cilium.io/ip-pool of the pod")
    with pytest.raises(AddressRefused) as caught:
        node.add("a", choice=wrong)
    assert str(caught.value) == (
        "this node has no pool gren (annotation ipam.cilium.io/ip-pool of the pod), but blue "
        "(10.0.1.0/24), red (without networks): name one of these, or give the node addresses of "
        "that one"
    )
    assert node.add("b", choice=PoolChoice("blue")) == "10.0.1.1"
    assert node.add("c", "10.0.1.9", choice=wrong.__class__("gren")) == "10.0.1.9"
    with pytest.raises(AddressRefused, match="no namespace may"):
        node.add("d", choice=PoolChoice("blue", refusal="no namespace may"))
    assert node.add("b", choice=PoolChoice("blue", refusal="too late")) == "10.0.1.1"


# What runs dry


def test_a_pool_that_ran_dry_is_named(node):
    """With its family, the numbers, and what to do; nothing is taken of the other family."""
    node.start([pool("fd00::/64", "10.0.1.0/29")])
    for name in "abcdef":
        node.add(name)
    with pytest.raises(PoolExhausted) as caught:
        node.add("g")
    assert (caught.value.pool, caught.value.size) == ("default", 6)
    assert str(caught.value) == (
        "pool default of 6: no IPv4 address is free: 6 in use: remove pods of this node, or "
        "give its pool more addresses"
    )
    assert node.ledger.shortage() == str(caught.value)
    assert node.counts()["fd00::/64"][:2] == (6, 0)
    node.delete("c")
    with pytest.raises(PoolExhausted, match="5 in use, 1 resting, the next one for 30 more sec"):
        node.add("g")
    node.clock.passes(QUARANTINE)
    assert node.add("g") == "10.0.1.3 fd00::7"


def test_a_pool_that_grows_says_so(node):
    """Its next network is on the way."""
    node.start([pool("10.0.1.7/32", grows=True)])
    node.add("a")
    with pytest.raises(PoolExhausted, match=r"gets more in a moment, if .*: try again"):
        node.add("b")
    node.ledger.set_pools([pool("10.0.1.7/32", "10.0.1.8/32", grows=True)])
    assert node.add("b") == "10.0.1.8"


@pytest.mark.parametrize(
    ("pools", "text"),
    [
        ((), "this node has no network for its pods"),
        ((pool(),), "pool default of 0: it has no IPv4 network on this node: remove"),
        ((pool(versions=(6,)),), "pool default of 0: it has no IPv6 network on this node: remove"),
        ((pool("10.0.1.0/24", versions=(4, 6)),), "it has no IPv6 network on this node"),
    ],
)
def test_a_node_without_a_network_says_so(node, pools, text):
    """No pod can be made there, and the reason is in words."""
    node.start(pools)
    assert text in node.ledger.shortage()
    with pytest.raises(PoolExhausted, match=text):
        node.add("a")
    assert node.entries == {}


def test_only_when_every_pool_is_dry_there_is_a_shortage(node):
    """As long as there is another pool some pods can come."""
    node.start([pool("10.0.1.7/32"), pool("10.0.1.8/32", name="b")])
    node.add("a")
    assert node.ledger.shortage() == ""
    node.add("b", choice=PoolChoice("b"))
    assert node.ledger.shortage().count("no IPv4 address is free") == 2


# Rest


def test_addresses_that_nobody_had_come_first_then_the_one_longest_released(node):
    """What others still know of a pod does not meet the next."""
    node.start([pool("10.0.1.0/29")])
    assert [node.add(name)[-1] for name in "abc"] == ["1", "2", "3"]
    for name in "cab":
        node.clock.passes(1)
        node.delete(name)
    node.clock.passes(QUARANTINE)
    assert [node.add(name)[-1] for name in "defghi"] == ["4", "5", "6", "3", "1", "2"]


def test_what_was_released_rests_over_a_restart_too(node):
    """And the one longest released comes first afterwards."""
    node.start(SMALL)
    for name in "abcdef":
        node.add(name)
    node.delete("d")
    node.clock.passes(10)
    node.delete("b")
    node.start(SMALL)
    assert node.counts() == {"10.0.1.0/29": (4, 2, 0)}
    with pytest.raises(PoolExhausted, match="for 20 more seconds"):
        node.add("g")
    node.clock.passes(20)
    assert node.counts() == {"10.0.1.0/29": (4, 1, 1)}
    node.start(SMALL)
    assert node.add("g") == "10.0.1.4"
    node.clock.passes(10)
    node.start(SMALL)
    assert node.add("h") == "10.0.1.2"


def test_the_quarantine_can_be_changed(node):
    """It counts for what rests already."""
    node.start([pool("10.0.1.7/32")])
    node.add("a")
    node.delete("a")
    node.clock.passes(5)
    node.ledger.quarantine = 5.0
    assert node.add("b") == "10.0.1.7"
    node.ledger.quarantine = 0.0
    node.delete("b")
    assert node.add("c") == "10.0.1.7"


@pytest.mark.parametrize("by", [-1e9, -1e4, 1e4, 1e9])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_clock_that_is_set_neither_frees_nor_blocks(node, by, restarts):
    """What rests goes on resting as it did, and after a restart too."""
    node.start(SMALL)
    for name in "abcdef":
        node.add(name)
    node.delete("a")
    node.clock.passes(10)
    node.clock.wall += by
    assert node.counts() == {"10.0.1.0/29": (5, 1, 0)}
    if restarts:
        node.start(SMALL)
    with pytest.raises(PoolExhausted, match="for 20 more seconds"):
        node.add("g")
    node.clock.passes(20)
    assert node.add("g") == "10.0.1.1"


def test_a_clock_that_was_set_back_while_nobody_looked_does_not_block(node):
    """What was released in the future rests from now on, at most."""
    node.start(SMALL)
    for name in "abcdef":
        node.add(name)
    node.delete("a")
    node.clock.wall -= 1e8
    for _ in range(3):
        node.start(SMALL)
        with pytest.raises(PoolExhausted):
            node.add("g")
        node.clock.passes(QUARANTINE / 3)
    assert node.add("g") == "10.0.1.1"


def test_of_very_many_released_addresses_the_oldest_are_forgotten(node, monkeypatch):
    """A directory does not grow with every pod that ever was, and none of them is lost."""
    monkeypatch.setattr("axoneme.ipam.ledger._REMEMBERED", 4)
    node.start([pool("10.0.1.0/28")])
    for number in range(60):
        name = str(number)
        node.add(name)
        node.delete(name)
        node.clock.passes(QUARANTINE)
        assert len(node.entries) <= 5
    for number in range(14):
        node.add(f"last-{number}")
    assert node.counts() == {"10.0.1.0/28": (14, 0, 0)}


# Who comes back


def test_a_restart_changes_no_owner(node):
    """What is written is what was said."""
    node.start(BOTH)
    before = {name: node.add(name) for name in "abc"}
    node.delete("b")
    node.start(BOTH)
    assert [node.add(name) for name in "ac"] == [before["a"], before["c"]]
    assert node.add("d") == "10.0.1.4 fd00:0:0:1::4"


def test_a_pod_that_comes_back_keeps_its_addresses(node):
    """Its container of before the reboot is gone, and its DEL never came."""
    node.start(BOTH)
    before = node.add("c1", pod="web")
    assert node.add("c2", pod="web") != before, "an owner that lives keeps its own"
    node.alive.clear()
    node.start(BOTH)
    node.clock.passes(5)
    assert node.add("c3", pod="web") in (before, "10.0.1.2 fd00:0:0:1::2")
    assert node.add("other") == "10.0.1.3 fd00:0:0:1::3"
    (left,) = {one.owner for one in node.ledger.unattended(node.alive.__contains__)}
    assert left in ("c1/eth0", "c2/eth0")
    node.ledger.release("c3/eth0")
    assert node.counts()["10.0.1.0/24"][:2] == (2, 1)


def test_another_device_of_a_pod_takes_nothing_over(node):
    """Two devices of one pod are two owners, of which one may not be alive yet."""
    node.start(BOTH)
    first = node.add("c1", pod="web")
    request = AddressRequest("default", "web")
    second = node.ledger.allocate("c1/net1", request, DEFAULT, lambda _: False)
    assert " ".join(map(str, second)) != first


@pytest.mark.parametrize(
    ("pools", "given"),
    [
        ((pool("10.0.2.0/24"), pool("10.0.1.0/24", name="b")), "10.0.2.1"),
        ((pool("10.0.1.0/24", reserved=[reserved("10.0.1.1", "10.0.1.1")]),), "10.0.1.2"),
        ((pool("10.0.2.0/24"),), "10.0.2.1"),
    ],
)
def test_what_a_pod_had_of_other_pools_stays_behind(node, pools, given):
    """It is found as unattended."""
    node.start([pool("10.0.1.0/24")])
    node.add("c1", pod="web")
    node.alive.clear()
    node.start(pools)
    assert node.add("c2", pod="web") == given
    (left,) = node.ledger.unattended(node.alive.__contains__)
    assert (str(left.address), left.owner) == ("10.0.1.1", "c1/eth0")


def test_a_pod_that_asks_for_what_it_had_gets_it_from_any_pool(node):
    """The address is its own."""
    node.start([pool("10.0.1.0/24"), pool("10.0.2.0/24", name="b")])
    node.add("c1", "10.0.2.9", pod="web")
    node.alive.clear()
    assert node.add("c2", pod="web") == "10.0.1.1"
    assert node.add("c3", "10.0.2.9", pod="web") == "10.0.2.9"


# What a pod asks for


def test_an_asked_address_is_honoured_of_any_pool(node):
    """The other family comes from the chosen pool."""
    node.start([pool("10.0.1.0/24", "fd00::/64"), pool("10.0.2.0/24", name="b")])
    assert node.add("a", "10.0.2.200") == "10.0.2.200 fd00::1"
    assert node.add("b", "fd00::1:1", "10.0.1.1") == "10.0.1.1 fd00::1:1"
    assert node.add("a", "10.0.2.201") == "10.0.2.200 fd00::1"
    pools = {str(one.address): one.pool for one in node.ledger.allocations()}
    assert pools["10.0.2.200"] == "b"
    node.clock.passes(QUARANTINE)
    node.delete("a")
    node.clock.passes(QUARANTINE)
    assert node.add("c", "10.0.2.200", "fd00::1") == "10.0.2.200 fd00::1"


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (["10.0.1.1"], "address 10.0.1.1: default/a has it"),
        (["10.0.1.2"], "default/b had it, and it rests until 2026-01-01T00:00:30Z, for 30 more s"),
        (["10.0.1.0"], "is the first of 10.0.1.0/24, which means the network"),
        (["10.0.1.255"], "is the last of 10.0.1.0/24, to which IPv4 broadcasts"),
        (["10.0.1.101"], r"is reserved in pool default \(10.0.1.100-10.0.1.109\)"),
        (["10.9.9.9"], r"is of none of this node's pools: default \(10.0.1.0/24, fd00::/64\), b"),
        (["10.0.1.9", "10.0.1.8"], "address 10.0.1.8: 10.0.1.9 is asked for too: a pod has one"),
        (["10.0.1.9", "fd00::1"], "address fd00::1: default/a has it"),
        (["10.0.1.50"], "front/old has it"),
        (["10.0.1.51"], "an entry that cannot be read has it"),
    ],
)
def test_an_asked_address_that_cannot_be_had_is_refused_with_the_reason(node, asked, text):
    """And nothing of the rest is taken."""
    node.directory.joinpath("10.0.1.51").symlink_to("garbage")
    pools = [
        pool("10.0.1.0/24", "fd00::/64", reserved=[reserved("10.0.1.100", "10.0.1.109")]),
        pool("10.0.2.0/24", name="b"),
    ]
    node.start(pools)
    node.add("a", "10.0.1.1", "fd00::1")
    node.add("b", "10.0.1.2", "fd00::2")
    node.delete("b")
    node.ledger.hold("front/old", [ip_address("10.0.1.50")])
    before = node.entries
    with pytest.raises(AddressRefused, match=text) as caught:
        node.add("c", *asked)
    assert caught.value.address in asked
    assert node.entries == before
    assert node.add("c") == "10.0.1.52 fd00::3"


# Pools that change


def test_a_network_that_left_is_given_no_more_and_whoever_has_it_keeps_it(node):
    """The pods are named, and after a return all is as before."""
    node.start(SMALL)
    node.add("a")
    node.add("b")
    node.delete("b")
    other = [pool("10.0.2.0/24")]
    assert node.ledger.stranded(other) == {"default/a": (ip_address("10.0.1.1"),)}
    assert node.ledger.stranded([pool("10.0.0.0/16")]) == {}
    node.ledger.set_pools(other)
    assert node.add("a") == "10.0.1.1"
    assert node.add("c") == "10.0.2.1"
    (problem,) = node.ledger.problems
    assert problem.startswith("addresses in use are of no pool of this node, and given to nobody")
    assert problem.endswith(": default/a has 10.0.1.1")
    node.ledger.set_pools(SMALL)
    assert node.counts() == {"10.0.1.0/29": (1, 1, 4)}
    node.ledger.set_pools(other)
    node.delete("a")
    node.clock.passes(QUARANTINE)
    node.delete("c")
    assert [*node.entries] == ["10.0.2.1"], "what rested and is of no pool is forgotten"


def test_of_networks_that_overlap_the_first_counts(node):
    """The other is named with its pool, and the rest of that pool is given."""
    node.start(
        [
            pool("10.0.1.0/24", "10.0.1.128/25"),
            pool("10.0.0.0/16", "10.1.0.0/24", name="b"),
            pool("10.2.0.0/24", name="b"),
        ]
    )
    inside, around, twice = node.ledger.problems
    assert inside == (
        "pool default: 10.0.1.128/25 overlaps 10.0.1.0/24 of pool default: it is left out, and "
        "this node gives no address of it"
    )
    assert around.startswith("pool b: 10.0.0.0/16 overlaps 10.0.1.0/24 of pool default: it is")
    assert twice == "there are two pools called b: the second is left out"
    assert node.add("a", choice=PoolChoice("b")) == "10.1.0.1"


def test_what_is_in_use_counts_though_it_is_reserved_now(node):
    """A network of which somebody has an address must not look empty."""
    node.start(SMALL)
    node.add("a")
    node.ledger.set_pools([pool("10.0.1.0/29", reserved=[reserved("10.0.1.1", "10.0.1.2")])])
    assert node.counts() == {"10.0.1.0/29": (1, 0, 4)}
    node.delete("a")
    assert node.counts() == {"10.0.1.0/29": (0, 1, 4)}
    usage = node.ledger.usage()
    assert usage.of("default", 4)[0].resting == 1
    assert usage.used == {}


# What others say


def test_what_others_gave_is_in_use_and_not_stored(node):
    """Until they let go of it."""
    node.start(SMALL)
    held = [ip_address("10.0.1.1"), ip_address("10.0.1.2")]
    assert node.ledger.hold("front/old", held) == []
    assert node.ledger.hold("front/old", held) == []
    assert node.entries == {}
    assert node.add("a") == "10.0.1.3"
    assert node.ledger.usage().used[held[0]] == "front/old"
    assert node.ledger.hold("front/new", held[:1]) == ["front/new and front/old both have 10.0.1.1"]
    assert node.ledger.hold("front/x", [ip_address("10.0.1.3")]) == [
        "front/x and default/a both have 10.0.1.3"
    ]
    assert node.ledger.hold("default/a", [ip_address("10.0.1.3")]) == []
    assert node.ledger.hold("front/old", held[1:]) == []
    assert node.counts() == {"10.0.1.0/29": (2, 0, 4)}
    node.ledger.let_go("front/old")
    given = [node.add(name)[-1] for name in "bcdef"]
    assert sorted(given) == ["1", "2", "4", "5", "6"]


def test_an_owner_of_before_has_its_addresses_still(node):
    """Its DEL lets them rest as any."""
    node.start(SMALL)
    node.ledger.hold("old/eth0", [ip_address("10.0.1.1")])
    assert node.add("old") == "10.0.1.1"
    node.delete("old")
    assert node.counts() == {"10.0.1.0/29": (0, 1, 5)}
    with pytest.raises(AddressRefused, match="old/eth0 had it, and it rests"):
        node.add("a", "10.0.1.1")


def test_what_others_gave_outside_of_the_pools_is_named_where_there_are_pools(node):
    """A node that gives no addresses has nothing to say of those that others gave."""
    node.ledger.hold("front/old", [ip_address("10.9.9.9")])
    assert node.ledger.problems == ()
    assert node.ledger.stranded(SMALL) == {}
    node.ledger.set_pools(SMALL)
    assert "front/old has 10.9.9.9" in node.ledger.problems[0]
    node.ledger.set_pools([pool("10.9.0.0/16")])
    assert node.ledger.problems == ()
    assert node.ledger.stranded(SMALL) == {"front/old": (ip_address("10.9.9.9"),)}


def test_an_entry_that_cannot_be_read_withholds_its_address_until_it_is_removed(node):
    """It is named, and counts as in use."""
    path = node.directory / "10.0.1.1"
    path.symlink_to("garbage")
    node.start(SMALL)
    assert node.add("a") == "10.0.1.2"
    (problem,) = node.ledger.problems
    assert problem.startswith(f"{path}: 'garbage' is not 1, pool, owner, pod and two times: nobody")
    assert node.counts() == {"10.0.1.0/29": (2, 0, 4)}
    path.unlink()
    assert node.counts() == {"10.0.1.0/29": (1, 0, 5)}
    assert node.ledger.problems == ()
    assert node.add("b", "10.0.1.1") == "10.0.1.1"


# What goes wrong


def test_a_second_ledger_of_a_directory_gives_no_address_twice(node, clock):
    """It reads what the other wrote, and goes on with the next."""
    node.start(BOTH)
    other = Node(node.directory, clock)
    other.start(BOTH)
    given = [one.add(name) for name, one in zip("abcdef", [node, other] * 3, strict=True)]
    assert len(set(given)) == 6
    assert {one.owner for one in other.ledger.allocations()} == {
        f"{name}/eth0" for name in "abcdef"
    }


class Full(AllocationStore):
    """A directory on a disk that runs full."""

    left = 0

    def claim(self, allocation):
        if not self.left:
            raise StateError("cannot be used: No space left on device", file=str(self.directory))
        self.left -= 1
        return super().claim(allocation)


@pytest.mark.parametrize("left", [0, 1])
def test_what_cannot_be_written_is_not_given(tmp_path, left):
    """Nothing of the other family stays either."""
    store = Full(tmp_path)
    ledger = Ledger(store, quarantine=QUARANTINE)
    ledger.set_pools(BOTH)
    store.left = left
    request = AddressRequest("default", "web")
    with pytest.raises(StateError, match="No space left"):
        ledger.allocate("a/eth0", request, DEFAULT, lambda _: False)
    assert [*tmp_path.iterdir()] == []
    assert ledger.usage().used == {}
    store.left = 2
    given = ledger.allocate("b/eth0", request, DEFAULT, lambda _: False)
    assert list(map(str, given)) == ["10.0.1.1", "fd00:0:0:1::1"]


def test_a_wide_network_costs_nothing(node):
    """A /64 has more addresses than anyone can look at; the last one is in use."""
    network = pool("fd00::/64")
    node.start([network])
    assert node.add("a", "fd00::ffff:ffff:ffff:fffe") == "fd00::ffff:ffff:ffff:fffe"
    node.start([network])
    assert node.add("b") == "fd00::1"
    (usage,) = node.ledger.usage().networks
    assert usage.size == 2**64 - 2


def test_many_networks_of_one_address_each_are_a_pool(node):
    """As another controller fills it."""
    many = AddressPool("default", pool(*(f"10.0.{n}.1/32" for n in range(100))).networks)
    node.start([many])
    given = {node.add(str(n)) for n in range(100)}
    assert len(given) == 100
    with pytest.raises(PoolExhausted, match=r"pool default of 100: .* 100 in use"):
        node.add("late")
