# SPDX-License-Identifier: Apache-2.0
"""Why a packet gets through or not: a probe asks the loaded programs, and changes nothing."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from axoneme.datapath import Verdict
from axoneme.errors import AxonemeError, nearest
from axoneme.model.identity import Reserved
from axoneme.model.policy import Direction

if TYPE_CHECKING:
    from axoneme.agent.cluster import Cluster
    from axoneme.datapath import Step
    from axoneme.model import Address, Endpoint

#: Not used by programs, and so of no flow that conntrack knows.
_SOURCE_PORT = 1
_SYN = 0x02
_PROTOCOLS = {"tcp": 6, "udp": 17}
_ETHERTYPES = {4: 0x0800, 6: 0x86DD}


def explain(
    cluster: Cluster,
    *,
    pod: str,
    peer: str,
    direction: str = "egress",
    protocol: str = "tcp",
    port: int = 80,
) -> dict[str, Any]:
    """Say what becomes of the first packet of a flow from a pod to a peer, or into it from there.

    A packet to a pod of this node is followed into that pod too. `policies` are those that have
    refused it: the one whose rule it was, or those that select the pod and let nothing else pass.

    Raises:
        AxonemeError: there is no such pod here, or no such packet.
    """
    endpoint = _find(cluster, pod)
    outward = _direction(direction) is Direction.EGRESS
    far = _address(peer)
    near = next((a for a in endpoint.addresses if a.version == far.version), None)
    if near is None:
        raise AxonemeError(f"{pod} has no address of the family of {peer}")
    pair = (near, far) if outward else (far, near)
    packet = _frame(endpoint, outward, pair, _protocol(protocol), port)
    trunk = "from_pod" if outward else "to_pod"
    run, steps = cluster.engine.datapath.probe(trunk, packet, ifindex=endpoint.ifindex)
    answer: dict[str, Any] = {
        "verdict": run.verdict.name.lower(),
        "rules": [name for name in (_rule(cluster, step) for step in _policy_steps(steps)) if name],
        "stage": "",
        "reason": "",
        "policies": [],
    }
    if run.verdict is not Verdict.DROP:
        return answer
    last = steps[-1] if steps else None
    answer["stage"] = last.stage if last else ""
    reason = cluster.engine.datapath.reasons.all().get(last.reason) if last else None
    answer["reason"] = reason.text if reason else ""
    if last is not None and last.stage == "policy":
        answer["policies"] = _refusing(cluster, last, pair[last.direction])
    return answer


def _policy_steps(steps: tuple[Step, ...]) -> list[Step]:
    return [step for step in steps if step.stage == "policy"]


def _rule(cluster: Cluster, step: Step) -> str:
    return cluster.policies.resolver.rule_numbers.name(step.rule) or ""


def _refusing(cluster: Cluster, step: Step, side: Address) -> list[str]:
    """The policy whose rule refused, else those that select the pod on this side of the packet."""
    name = _rule(cluster, step)
    if name:
        return [name]
    endpoints = cluster.engine.datapath.endpoints.values()
    identities = [e.identity or Reserved.INIT for e in endpoints if side in e.addresses]
    rule_sets = cluster.policies.resolver.rule_sets
    found = [rule_sets[number] for number in identities if number in rule_sets]
    return [name for one in found for name in one.selected_by(Direction(step.direction))]


def _find(cluster: Cluster, pod: str) -> Endpoint:
    names = {str(e): e for e in cluster.engine.datapath.endpoints.values()}
    if pod not in names:
        near = nearest(pod, names)
        raise AxonemeError(f"no pod {pod} is here" + (f"; did you mean {near}?" if near else ""))
    return names[pod]


def _direction(text: str) -> Direction:
    try:
        return Direction[text.upper()]
    except KeyError:
        raise AxonemeError(f"a direction is egress or ingress, not {text!r}") from None


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError as error:
        raise AxonemeError(str(error)) from None


def _protocol(text: str) -> int:
    if text not in _PROTOCOLS:
        raise AxonemeError(f"a protocol is {' or '.join(_PROTOCOLS)}, not {text!r}")
    return _PROTOCOLS[text]


def _frame(
    endpoint: Endpoint, outward: bool, pair: tuple[Address, Address], protocol: int, port: int
) -> bytes:
    """The first packet of a flow, in its frame; nobody looks at its checksums."""
    if not 1 <= port <= 0xFFFF:
        raise AxonemeError(f"a port is 1 to 65535, not {port}")
    macs = (endpoint.node_mac, endpoint.mac) if outward else (endpoint.mac, endpoint.node_mac)
    if protocol == _PROTOCOLS["tcp"]:
        load = struct.pack("!HHIIBBHHH", _SOURCE_PORT, port, 0, 0, 5 << 4, _SYN, 0xFFFF, 0, 0)
    else:
        load = struct.pack("!HHHH", _SOURCE_PORT, port, 8, 0)
    source, target = (address.packed for address in pair)
    if pair[0].version == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(load), 0, 0, 64, protocol, 0)
    else:
        header = struct.pack("!IHBB", 6 << 28, len(load), protocol, 64)
    ethertype = _ETHERTYPES[pair[0].version].to_bytes(2)
    return b"".join((*macs, ethertype, header, source, target, load))
