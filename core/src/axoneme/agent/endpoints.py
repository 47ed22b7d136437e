# SPDX-License-Identifier: Apache-2.0
"""Endpoints as the source wants them, joined with what the node's devices say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from axoneme.errors import AxonemeError
from axoneme.model import Endpoint
from axoneme.net import Netlink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from axoneme.agent.engine import Engine
    from axoneme.sources import EndpointRecord


@frozen
class Synced:
    """What a round did; errors has a sentence for each endpoint that could not be attached."""

    added: int
    removed: int
    errors: tuple[str, ...]


def sync_endpoints(
    engine: Engine, records: Iterable[EndpointRecord], slot: Callable[[int], int]
) -> Synced:
    """Make the engine's endpoints those of the records; one that fails does not stop the others.

    slot: of the rule set of an identity.
    """
    wanted, errors = _resolve(records, slot)
    present = engine.datapath.endpoints
    gone = present.keys() - wanted.keys()
    for endpoint_id in sorted(gone):
        engine.remove_endpoint(endpoint_id)
    added = 0
    for endpoint in wanted.values():
        if present.get(endpoint.id) == endpoint:
            continue
        try:
            engine.add_endpoint(endpoint)
            added += 1
        except AxonemeError as error:
            errors.append(f"endpoint {endpoint}: {error}")
    return Synced(added, len(gone), tuple(errors))


def _resolve(
    records: Iterable[EndpointRecord], slot: Callable[[int], int]
) -> tuple[dict[int, Endpoint], list[str]]:
    wanted, errors = {}, []
    with Netlink() as netlink:
        devices = {link.name: link for link in netlink.links()}
    for record in records:
        link = devices.get(record.ifname)
        if link is None:
            errors.append(
                f"endpoint {record.namespace}/{record.name}: there is no device {record.ifname}"
            )
            continue
        wanted[record.id] = Endpoint(
            id=record.id,
            name=record.name,
            namespace=record.namespace,
            ifname=record.ifname,
            ifindex=link.index,
            addresses=record.addresses,
            mac=record.mac,
            node_mac=link.mac,
            identity=record.identity,
            rule_set=slot(record.identity),
        )
    return wanted, errors
