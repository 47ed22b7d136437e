# SPDX-License-Identifier: Apache-2.0
"""The node's addresses as rows of plain values: who has which, of what, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from axoneme.errors import AxonemeError
from axoneme.model.labels import own_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from axoneme.agent.ipam import PodIpam
    from axoneme.ipam import Allocation
    from axoneme.model import Address, AddressRequest, AddressUsage, PodIPPool, PoolChoice

Row = dict[str, Any]

_VERSIONS = (4, 6)
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def address_listings(ipam: PodIpam) -> Mapping[str, Callable[..., Any]]:
    """The agent's methods that tell of addresses."""
    return {
        "addresses": lambda: list(list_addresses(ipam)),
        "address-pools": lambda: list(list_pools(ipam)),
        "explain-addresses": lambda pod: explain_addresses(ipam, pod),
    }


def list_addresses(ipam: PodIpam) -> Iterator[Row]:
    """Every address that a pod has, or that rests after its release, in their order."""
    usage = ipam.ledger.usage()
    stored = {one.address: one for one in ipam.ledger.allocations()}
    for address in sorted({*usage.used, *stored}, key=lambda a: (a.version, int(a))):
        one = stored.get(address)
        if one is None or not (one.in_use or address not in usage.used):
            yield _held(address, usage)
        else:
            yield _stored(one, ipam.ledger.quarantine)


def _held(address: Address, usage: AddressUsage) -> Row:
    """An address in use that the node's books do not speak of."""
    found = (one.pool for one in usage.networks if address in one.network)
    return {
        "address": str(address),
        "pool": next(found, ""),
        "pod": usage.used[address],
        "owner": "",
        "since": None,
        "state": "used",
        "until": None,
    }


def _stored(one: Allocation, quarantine: float) -> Row:
    return {
        "address": str(one.address),
        "pool": one.pool,
        "pod": one.pod,
        "owner": one.owner,
        "since": _time(one.since),
        "state": "used" if one.in_use else "resting",
        "until": None if one.in_use else _time(one.released + quarantine),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)


def list_pools(ipam: PodIpam) -> Iterator[Row]:
    """The networks of the node's pools, and pools that have none here."""
    found = ipam.ledger.usage().networks
    for one in found:
        yield {
            "pool": one.pool,
            "network": str(one.network),
            "family": f"ipv{one.network.version}",
            "used": one.used,
            "resting": one.resting,
            "free": one.free,
            "size": one.size,
        }
    for pool in ipam.pools:
        if not any(one.pool == pool.name for one in found):
            nothing = dict.fromkeys(("used", "resting", "free", "size"), 0)
            yield {"pool": pool.name, "network": None, "family": None, **nothing}


def explain_addresses(ipam: PodIpam, pod: str) -> Row:
    """Say which pools a pod is of and why, and what it has or would get now.

    `pod` is NAMESPACE/NAME, or NAME in the namespace default; it need not be there yet.
    """
    namespace, _, name = pod.rpartition("/")
    whose = namespace or "default", name
    found = _described(ipam, ipam.cluster.address_request(*whose, _labels(ipam, whose)))
    had = [row for row in list_addresses(ipam) if row["pod"] == "/".join(whose)]
    found["addresses"] = [row for row in had if row["state"] == "used"]
    try:
        request, choice = ipam.choose(whose, _labels(ipam, whose))
        found |= _chosen(ipam, choice)
        if not found["addresses"]:
            found["would-get"] = [str(a) for a in ipam.ledger.preview(request, choice)]
    except AxonemeError as error:
        found["refusal"] = str(error)
    return found


def _labels(ipam: PodIpam, whose: tuple[str, str]) -> dict[str, str]:
    """What the runtime said of a pod that is here, should it have no manifest."""
    own = ipam.cluster.own_endpoints()
    return next((own_labels(r.labels) for r in own if (r.namespace, r.name) == whose), {})


def _described(ipam: PodIpam, request: AddressRequest) -> Row:
    known = (request.namespace, request.name) in ipam.cluster.manifests.pods
    return {
        "pod": str(request),
        "manifest": known,
        "labels": dict(request.labels),
        "annotations": dict(request.annotations),
        "namespace-labels": dict(request.namespace_labels),
        "namespace-annotations": dict(request.namespace_annotations),
        "pools": {},
        "why": "",
        "selectors": [],
        "addresses": [],
        "would-get": [],
        "refusal": "",
    }


def _chosen(ipam: PodIpam, choice: PoolChoice) -> Row:
    names = {f"ipv{version}": choice.of(version) for version in _VERSIONS}
    pools = ipam.cluster.manifests.pools
    known = (pools.get(name) for name in dict.fromkeys(names.values()))
    return {
        "pools": names,
        "why": choice.why,
        "selectors": [_selectors(pool) for pool in known if pool is not None],
    }


def _selectors(pool: PodIPPool) -> Row:
    """Which pods a pool of the cluster chooses by itself, and where that is written."""
    pods, namespaces = pool.pod_selector, pool.namespace_selector
    return {
        "pool": pool.name,
        "pods": None if pods is None else str(pods),
        "namespaces": None if namespaces is None else str(namespaces),
        "place": pool.place,
    }
