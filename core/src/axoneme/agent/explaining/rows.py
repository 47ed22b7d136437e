# SPDX-License-Identifier: Apache-2.0
"""What a stage asked a map, and what the kernel's map answers: both in words.

Where the agent knows what should stand there, and something else does, that is said too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from axoneme.agent.names import device_name
from axoneme.model import unpack_address
from axoneme.model.policy import Direction, protocol_name
from axoneme.model.rule_set import (
    DEFAULT_DENY_EGRESS,
    DEFAULT_DENY_INGRESS,
    DENY,
    PolicyKey,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme.agent.cluster import Cluster
    from axoneme.agent.names import LiveNames
    from axoneme.datapath import Rows
    from axoneme.model import Address, Lookup


_NOTHING = "nothing"
_ADDRESS_BYTES = 16
_BLOCK = 255
_ICMP = (1, 58)


@define
class MapWords:
    """The maps of one node, in words."""

    cluster: Cluster
    names: LiveNames
    _wanted: Mapping[str, Rows] | None = field(default=None, init=False)

    def lookup(self, lookup: Lookup) -> dict[str, str]:
        """Say what was asked, what answers, and what should: "" where that is not known."""
        table = self.cluster.engine.datapath.table(lookup.map, lookup.codec)
        key, row = _first(lookup, table.get)
        found = {
            "map": lookup.map,
            "key": self._key(lookup, key, row),
            "row": self._row(lookup.map, row),
            "expected": "",
        }
        if lookup.codec is None:
            found["expected"] = self._expected(lookup, key, row)
        return found

    def _expected(self, lookup: Lookup, key: Any, row: Any) -> str:
        """What should be found, where that is known and something else is."""
        if lookup.map == "cidrs":
            should = self._longest(unpack_address(key["address"]))
            return self._row("cidrs", should) if should != row else ""
        wanted = self._rows().get(lookup.map)
        if wanted is None:
            return ""
        should_key, should = _first(lookup, wanted.get)
        return self._row(lookup.map, should) if (should_key, should) != (key, row) else ""

    def _longest(self, address: Address) -> int | None:
        """The number of the longest network that an address should be found in."""
        networks = self.cluster.policies.ipcache.cidrs
        holding = (network for network in networks if address in network)
        longest = max(holding, key=lambda network: network.prefixlen, default=None)
        return networks[longest] if longest is not None else None

    def _rows(self) -> Mapping[str, Rows]:
        """What maps should hold that answer for one key."""
        if self._wanted is None:
            policies, datapath = self.cluster.policies, self.cluster.engine.datapath
            self._wanted = {
                "endpoints": datapath.wanted_endpoints(),
                **policies.maps.wanted,
                **policies.ipcache.wanted,
            }
        return self._wanted

    def _key(self, lookup: Lookup, key: Any, row: Any) -> str:
        words = self._one_key(lookup.map, key)
        more = len(lookup.keys) - 1
        return f"{words} and {more} wider keys" if more and row is None else words

    def _one_key(self, name: str, key: Any) -> str:
        match name:
            case "endpoints" | "ipcache" | "nodes":
                return str(unpack_address(key))
            case "cidrs":
                return str(unpack_address(key["address"]))
            case "rule_sets":
                return f"slot {key}"
            case "policy":
                return self._policy_key(key)
            case "conntrack":
                ends = [f"{unpack_address(key[a])} port {key[p]}" for a, p in _ENDS]
                return f"{protocol_name(key['proto'])} {' and '.join(ends)}"
            case _:
                return plain(key)

    def _row(self, name: str, row: Any) -> str:
        if row is None:
            return "no such flow: a new one" if name == "conntrack" else _NOTHING
        words = self._words().get(name)
        return words(row) if words else plain(row)

    def _words(self) -> Mapping[str, Callable[[Any], str]]:
        return {
            "endpoints": self._endpoint,
            "ipcache": self._remote,
            "cidrs": self.names.peer,
            "nodes": lambda number: f"node number {number}",
            "rule_sets": _rule_set,
            "policy": self._entry,
            "conntrack": lambda _: "a flow that is known",
        }

    def _endpoint(self, row: Mapping[str, Any]) -> str:
        rules = f"rule set {row['rule_set']}" if row["rule_set"] else "no rule set"
        who, identity = self.names.endpoint(row["id"]), self.names.peer(row["identity"])
        device = device_name(row["ifindex"]) or f"device {row['ifindex']}"
        return f"{who}, {identity}, {device}, {rules}"

    def _remote(self, row: Mapping[str, Any]) -> str:
        tunnel = f", behind node {unpack_address(row['tunnel'])}" if any(row["tunnel"]) else ""
        return self.names.peer(row["identity"]) + tunnel

    def _policy_key(self, fields: Mapping[str, int]) -> str:
        key = PolicyKey(fields["identity"], fields["port"], fields["proto"], fields["kind"])
        way = "from" if key.direction is Direction.INGRESS else "to"
        return f"{way} {self.names.peer(key.identity)}, {_ports(key)}"

    def _entry(self, row: Mapping[str, int]) -> str:
        verdict = "denied" if row["verdict"] == DENY else "allowed"
        return f"{verdict} by {self.names.rule(row['rule'])}"


_ENDS = (("saddr", "sport"), ("daddr", "dport"))


def _first(lookup: Lookup, get: Callable[[Any], Any]) -> tuple[Any, Any]:
    """The first key that has a row, and the row; else the first key."""
    for key in lookup.keys:
        row = get(key)
        if row is not None and not _is_closed(lookup.map, row):
            return key, row
    return lookup.keys[0], None


def _is_closed(name: str, row: Any) -> bool:
    return name == "rule_sets" and not row["active"]


def _rule_set(row: Mapping[str, int]) -> str:
    denying = [
        word
        for bit, word in ((DEFAULT_DENY_EGRESS, "out"), (DEFAULT_DENY_INGRESS, "in"))
        if row["flags"] & bit
    ]
    if not denying:
        return f"version {row['active']}, all may pass"
    return f"version {row['active']}, only what a rule allows may pass {' and '.join(denying)}"


def plain(value: Any) -> str:
    """A key or row of a map whose meaning its plugin knows: fields by name, 16 bytes an address."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(one)}" for name, one in value.items())
    if isinstance(value, bytes):
        return str(unpack_address(value)) if len(value) == _ADDRESS_BYTES else value.hex()
    return str(value)


def _ports(key: PolicyKey) -> str:
    if not key.proto:
        return "any protocol"
    name = protocol_name(key.proto)
    if not key.length:
        return f"{name}, any port"
    if key.length < 16:
        return f"{name} ports {key.port} to {key.port + _BLOCK}"
    return f"{name} {'type' if key.proto in _ICMP else 'port'} {key.port}"
