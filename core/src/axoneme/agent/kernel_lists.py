# SPDX-License-Identifier: Apache-2.0
"""What the kernel holds, as rows of plain values: read from the pins, with or without an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.agent.names import device_name
from axoneme.datapath import Runtime, read_flows, read_rule_sets, unpack_network
from axoneme.datapath.clock import now, seconds
from axoneme.errors import AxonemeError, nearest
from axoneme.model import unpack_address
from axoneme.model.policy import protocol_name
from axoneme.model.rule_set import (
    ANY_PEER,
    DEFAULT_DENY_EGRESS,
    DEFAULT_DENY_INGRESS,
    DENY,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.agent.names import Names, StoredNames
    from axoneme.datapath import Attached, Flow, PinnedMaps, StoredRuleSet
    from axoneme.datapath.conntrack import Grant
    from axoneme.model import Address
    from axoneme.model.rule_set import PolicyEntry, PolicyKey

Row = dict[str, Any]

_PORT_BITS = 16


def list_endpoints(maps: PinnedMaps, names: Names) -> Iterator[Row]:
    """The map `endpoints`: an address of a pod of this node, and where its packets go."""
    for key, value in sorted(
        maps.table("endpoints").read(), key=lambda row: (row[1]["id"], row[0])
    ):
        address = unpack_address(key)
        yield {
            "address": str(address),
            "id": value["id"],
            "name": names.endpoint(value["id"]),
            "identity": value["identity"],
            "identity-name": names.identity(value["identity"]),
            "ifindex": value["ifindex"],
            "mac": value["mac"].hex(":"),
            "node-mac": value["node_mac"].hex(":"),
            "rule-set": value["rule_set"],
        }


def list_ipcache(maps: PinnedMaps, names: Names) -> Iterator[Row]:
    """The maps `ipcache` and `cidrs`: an address or network, whose it is, and by which tunnel."""
    found = [
        (unpack_address(key), value["identity"], value["tunnel"])
        for key, value in maps.table("ipcache").read()
    ]
    for address, identity, tunnel in sorted(found, key=lambda row: (row[0].version, row[0])):
        yield {
            "prefix": f"{address}/{address.max_prefixlen}",
            "identity": identity,
            "identity-name": names.identity(identity),
            "name": names.address(address),
            "tunnel": str(unpack_address(tunnel)) if any(tunnel) else "",
        }
    cidrs = [(unpack_network(key), number) for key, number in maps.table("cidrs").read()]
    for network, identity in sorted(cidrs, key=lambda row: (row[0].version, row[0])):
        yield {
            "prefix": str(network),
            "identity": identity,
            "identity-name": names.identity(identity),
            "name": "",
            "tunnel": "",
        }


def list_policy(maps: PinnedMaps, names: Names, identity: int | None = None) -> Iterator[Row]:
    """The maps `rule_sets` and `policy`: for each identity of this node its entries, in order.

    An identity whose endpoints no policy restricts has no row of its own in a direction but the
    one that says what else holds.
    """
    stored = read_rule_sets(maps.table("policy"), maps.table("rule_sets"))
    slots = {v["rule_set"]: v["identity"] for _, v in maps.table("endpoints").read()}
    for slot, rule_set in stored.items():
        subject = slots.get(slot, 0)
        if identity not in (None, subject):
            continue
        head = {"rule-set": slot, "subject": subject, "subject-name": names.identity(subject)}
        for key, entry in sorted(rule_set.entries.items(), key=lambda item: _order(item[0])):
            yield head | _entry(key, entry, names)
        yield from (head | row for row in _otherwise(rule_set))


def _order(key: PolicyKey) -> tuple[int, ...]:
    return key.direction, -key.length, key.proto, key.port, key.identity


def _entry(key: PolicyKey, entry: PolicyEntry, names: Names) -> Row:
    return {
        "direction": key.direction.name.lower(),
        "peer": key.identity,
        "peer-name": names.identity(key.identity),
        "protocol": _protocol(key.proto),
        "ports": _ports(key),
        "verdict": "deny" if entry.verdict == DENY else "allow",
        "rule": names.rule(entry.rule),
        "any-peer": bool(entry.flags & ANY_PEER),
        "proxy": entry.proxy,
    }


def _ports(key: PolicyKey) -> str:
    if not key.length:
        return "any"
    last = key.port | (1 << _PORT_BITS - key.length) - 1
    return str(key.port) if last == key.port else f"{key.port}-{last}"


def _protocol(number: int) -> str:
    return protocol_name(number).lower() if number else "any"


def _otherwise(rule_set: StoredRuleSet) -> Iterator[Row]:
    """What becomes of packets that no entry is for."""
    for direction, flag in (("egress", DEFAULT_DENY_EGRESS), ("ingress", DEFAULT_DENY_INGRESS)):
        yield {
            "direction": direction,
            "peer": 0,
            "peer-name": "",
            "protocol": "any",
            "ports": "any",
            "verdict": "deny" if rule_set.flags & flag else "allow",
            "rule": "default",
            "any-peer": False,
            "proxy": 0,
        }


def list_flows(maps: PinnedMaps, names: Names, addresses: Iterable[Address] = ()) -> Iterator[Row]:
    """The map `conntrack`, as it is read: all flows, or those of some addresses."""
    present, generation = now(), Runtime(maps.table("runtime")).generation
    for flow in read_flows(maps.table("conntrack"), addresses):
        yield _flow(flow, present, names) | {
            "egress-rule": _granted(flow.egress, generation, names),
            "ingress-rule": _granted(flow.ingress, generation, names),
        }


def _flow(flow: Flow, present: int, names: Names) -> Row:
    return {
        "protocol": _protocol(flow.proto),
        "source": str(flow.source),
        "source-port": flow.sport,
        "source-name": names.address(flow.source),
        "destination": str(flow.destination),
        "destination-port": flow.dport,
        "destination-name": names.address(flow.destination),
        "identity": flow.src_identity,
        "state": [state.name.lower().replace("_", "-") for state in flow.state if state.name],
        "seconds-left": max(round(seconds(flow.expiry - present), 1), 0.0),
        "age-seconds": max(round(seconds(present - flow.created), 1), 0.0),
    }


def _granted(grant: Grant, generation: int, names: Names) -> str | None:
    """The rule that let it pass, nothing if none was needed, None if it will be asked for."""
    if grant.generation != generation:
        return None
    return names.rule(grant.rule)


def list_lanes(attached: Iterable[Attached], maps: PinnedMaps, names: Names) -> Iterator[Row]:
    """Each program that is attached: for each pod and device its stages, and who is in them."""
    pods: dict[int, str] = {}
    for row in list_endpoints(maps, names):
        pods[row["ifindex"]] = row["name"]
    for one in attached:
        yield {
            "place": pods.get(one.ifindex) or _device(one),
            "endpoint": one.ifindex in pods,
            "device": _device(one),
            "trunk": one.trunk,
            "program": one.program,
            "instructions": one.instructions,
            "jited": one.jited,
            "stages": {stage: list(plugins) for stage, plugins in one.stages.items()},
        }


def _device(one: Attached) -> str:
    return (device_name(one.ifindex) if one.ifindex else None) or one.target


def addresses_of(pod: str, names: StoredNames) -> tuple[Address, ...]:
    """The addresses of a pod.

    Raises:
        AxonemeError: there is no such pod.
    """
    found = names.addresses_of(pod)
    if not found:
        near = nearest(pod, [*names.pods(), *(name.partition("/")[2] for name in names.pods())])
        raise AxonemeError(f"there is no pod {pod}" + (f"; did you mean {near}?" if near else ""))
    return found
