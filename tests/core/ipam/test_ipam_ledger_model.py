# SPDX-License-Identifier: Apache-2.0
"""The ledger beside a tiny model: whatever happens, no address has two owners, and none is lost."""

from __future__ import annotations

import shutil
import tempfile
from ipaddress import ip_address
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.core.ipam.made import QUARANTINE, Clock, pool

from axoneme import AddressRefused, PoolExhausted
from axoneme.ipam import AllocationStore, Ledger
from axoneme.model import AddressRange, AddressRequest, PoolChoice

KEPT = (AddressRange(ip_address("10.0.1.2"), ip_address("10.0.1.3")),)
POOLS = (
    (),
    (pool("10.0.1.0/30"),),
    (pool("10.0.1.0/30", "fd00::/126"),),
    (pool("10.0.1.0/29", "10.0.2.0/30"),),
    (pool("10.0.1.0/29", "fd00::/125"),),
    (pool("10.0.1.0/29", "fd00::/125", reserved=KEPT),),
    (pool("10.0.2.0/30", "fd00::/64"), pool("10.0.1.0/29", "10.0.2.0/31", name="b")),
    (pool("10.0.3.0/30", "10.0.1.0/30", grows=True), pool("10.0.2.0/30", name="b")),
)
CHOICES = (PoolChoice(), PoolChoice("b", "b"), PoolChoice("b", "default"))
ASKED = [[ip_address(f"{net}{host}")] for net in ("10.0.1.", "fd00::") for host in range(4)]
ASKED += [[ip_address("10.0.1.1"), ip_address("fd00::1")]]
ASKED += [[ip_address("10.0.2.1"), ip_address("10.0.2.2")]]
OWNERS = st.integers(0, 6)


class Killed(BaseException):
    """The process ends here."""


class Mortal(AllocationStore):
    """A store whose process is killed before or after one of its writes."""

    #: How many writes are made before, and None if it lives.
    writes = None

    def _step(self, write, argument):
        if self.writes == 0:
            raise Killed
        result = write(argument)
        if self.writes is not None:
            self.writes -= 1
            if self.writes == 0:
                raise Killed
        return result

    def claim(self, allocation):
        return self._step(super().claim, allocation)

    def replace(self, allocation):
        return self._step(super().replace, allocation)

    def forget(self, address):
        return self._step(super().forget, address)


class Books(RuleBasedStateMachine):
    """The model is who has what, for which pod, and until when what was released rests."""

    def __init__(self):
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.pools = ()
        self.owned = {}
        self.pods = {}
        self.rests = {}
        self.open()

    def teardown(self):
        shutil.rmtree(self.directory)

    def open(self):
        self.store = Mortal(self.directory)
        self.ledger = Ledger(
            self.store,
            quarantine=QUARANTINE,
            clock=lambda: self.clock.wall,
            steady=lambda: self.clock.steady,
        )
        self.ledger.set_pools(self.pools)

    @initialize(pools=st.sampled_from(POOLS[1:]))
    def begin(self, pools):
        self.set_pools(pools)

    @rule(pools=st.sampled_from(POOLS))
    def set_pools(self, pools):
        self.pools = pools
        outside = {
            a for owned in self.owned.values() for a in owned if self.network(a, pools) is None
        }
        stranded = {a for some in self.ledger.stranded(pools).values() for a in some}
        assert stranded == outside
        self.ledger.set_pools(pools)

    def network(self, address, pools):
        found = (n for one in pools for n in one.networks if address in n)
        return next(found, None)

    def gives(self, address):
        """Whether the pools give an address at all."""
        taken = []
        for one in self.pools:
            for network in one.networks:
                if any(network.overlaps(other) for other in taken):
                    continue
                taken.append(network)
                if address in network:
                    inside = network[0] < address < network[-1] or network.num_addresses <= 2
                    return inside and not any(address in r for r in one.reserved)
        return False

    @rule()
    def fill(self):
        """Until there is nothing left, in most pools."""
        for number in range(7):
            self.ask(number)

    @rule(number=OWNERS, pod=OWNERS, choice=st.sampled_from(CHOICES))
    def add(self, number, pod, choice):
        self.ask(number, pod, choice)

    @rule(number=OWNERS, pod=OWNERS, asked=st.sampled_from(ASKED))
    def add_asking(self, number, pod, asked):
        self.ask(number, pod, asked=asked)

    @rule(number=OWNERS, pod=OWNERS, kill=st.integers(0, 3))
    def add_killed(self, number, pod, kill):
        self.ask(number, pod, kill=kill)

    def ask(self, number, pod=None, choice=CHOICES[0], asked=(), kill=None):
        """Every second time of a pod that is known its container is dead."""
        owner = f"{number}/eth0"
        pod = self.pods.get(owner, f"default/{number if pod is None else pod}")
        dead = {o for o, p in self.pods.items() if p == pod and o != owner and number % 2}
        request = AddressRequest("default", pod.partition("/")[2], addresses=asked)
        before = self.owned.get(owner, set())
        self.store.writes = kill
        try:
            given = self.ledger.allocate(owner, request, choice, lambda one: one not in dead)
        except (PoolExhausted, AddressRefused) as error:
            self.refused(error, owner, choice, asked)
            self.store.writes = None
        except Killed:
            self.recover(owner, pod, dead)
        else:
            self.store.writes = None
            self.given(owner, pod, set(given), before, dead)
            assert list(given) == sorted(given, key=lambda a: (a.version, a))
            assert len({a.version for a in given}) == len(given)
            if not before:
                assert given
                assert {a for a in asked if a.version in {b.version for b in given}} <= set(given)

    def given(self, owner, pod, found, before, dead):
        """Hold what an owner got against the model."""
        assert before <= found, "an owner keeps what it has"
        for address in found - before:
            assert self.gives(address)
            assert address not in self.resting()
            holders = {o for o, owned in self.owned.items() if address in owned}
            assert holders <= dead | {owner}, "an address has one owner"
            for holder in holders:
                self.take(holder, address)
            self.rests.pop(address, None)
        if found:
            self.owned[owner], self.pods[owner] = found, pod

    def take(self, owner, address):
        self.owned[owner].discard(address)
        if not self.owned[owner]:
            del self.owned[owner], self.pods[owner]

    def refused(self, error, owner, choice, asked):
        """Who is told that nothing is free is not lied to."""
        if isinstance(error, AddressRefused) or self.owned.get(owner):
            return
        if error.size:
            held = {a for owned in self.owned.values() for a in owned} | self.resting()
            version = 6 if "IPv6" in str(error) else 4
            name = choice.of(version)
            networks = [
                n for p in self.pools if p.name == name for n in p.networks if n.version == version
            ]
            if all(n.num_addresses < 100 for n in networks):
                usable = {a for n in networks for a in n if self.gives(a)}
                assert {a for a in usable if self.network(a, self.pools) in networks} <= held

    def recover(self, owner, pod, dead):
        """After a kill an owner has all, a part or nothing of what it was about to get."""
        self.open()
        said = self.ledger.allocations()
        found = {one.address for one in said if one.owner == owner and one.in_use}
        self.given(owner, pod, found, self.owned.get(owner, set()), dead)

    @rule(numbers=st.sets(OWNERS))
    def delete(self, numbers):
        for number in numbers:
            self.release(number)

    @rule(number=OWNERS, kill=st.integers(0, 2))
    def delete_killed(self, number, kill):
        self.release(number, kill)

    def release(self, number, kill=None):
        owner = f"{number}/eth0"
        self.store.writes = kill
        try:
            self.ledger.release(owner)
            self.store.writes = None
        except Killed:
            self.open()
        present = {one.address for one in self.ledger.allocations() if one.in_use}
        gone = {a for a in self.owned.get(owner, set()) if a not in present}
        assert kill is not None or gone == self.owned.get(owner, set())
        for address in gone:
            self.rests[address] = self.clock.steady + QUARANTINE
            self.take(owner, address)

    @rule()
    def crash(self):
        self.open()

    @rule(seconds=st.sampled_from([1, 10, 29, 31]))
    def time_passes(self, seconds):
        self.clock.passes(seconds)

    @rule(seconds=st.sampled_from([-1e8, -50, -2, 2, 50, 1e8]))
    def clock_is_set(self, seconds):
        """Somebody looks before the agent ends: see the tests of clocks for the other case."""
        self.clock.wall += seconds
        self.ledger.usage()

    def resting(self):
        return {a for a, until in self.rests.items() if until > self.clock.steady}

    @invariant()
    def books_are_right(self):
        """What the ledger says is what the model knows: nothing more, nothing lost."""
        said = self.ledger.allocations()
        in_use = {one.address: (one.owner, one.pod) for one in said if one.in_use}
        owned = {a: (o, self.pods[o]) for o, some in self.owned.items() for a in some}
        assert in_use == owned
        assert {one.address for one in said if not one.in_use} == self.resting()
        usage = self.ledger.usage()
        assert usage.used.keys() == owned.keys()
        for one in usage.networks:
            inside = [a for a in owned if a in one.network]
            resting = [a for a in self.resting() if a in one.network]
            assert (one.used, one.resting) == (len(inside), len(resting))
            if one.network.num_addresses < 100:
                free = {a for a in one.network if self.gives(a)} - {*inside, *resting}
                assert one.free == len(free)


class TestBooks(Books.TestCase):
    """Any sequence of events."""

    settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
