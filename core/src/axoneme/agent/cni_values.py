# SPDX-License-Identifier: Apache-2.0
"""What a request means, and what an attachment is to each of those who ask for it."""

from __future__ import annotations

import re
from hashlib import blake2s
from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any

from axoneme.cni import Attachment, CniResult
from axoneme.model import Endpoint

from .pods import PodWiring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.agent.mtu import MtuBudget
    from axoneme.cni import CniRequest
    from axoneme.model import Address
    from axoneme.net import Link

_PREFIX = "axn"
#: The node's ends of pods' links, as `node_ifname_of` calls them.
POD_DEVICE = re.compile(_PREFIX + "[0-9a-f]{12}")
_FIRST_IFNAME = "eth0"


def owner_of(request: CniRequest) -> str:
    """The name under which a device has its addresses."""
    return f"{request.container_id}/{request.ifname}"


def node_ifname_of(request: CniRequest) -> str:
    """The node's end of a device, by what the runtime calls it: found again whatever is lost."""
    return _PREFIX + blake2s(owner_of(request).encode(), digest_size=6).hexdigest()


def pod_of(request: CniRequest) -> tuple[str, str]:
    """A pod's namespace and name; its devices beside the first are endpoints of their own."""
    namespace, name = request.pod
    return namespace, name if request.ifname == _FIRST_IFNAME else f"{name}.{request.ifname}"


def attachment_of(
    request: CniRequest,
    endpoint: int,
    addresses: tuple[Address, ...],
    identity: int,
    budget: MtuBudget,
) -> Attachment:
    """What an ADD is to make."""
    namespace, name = pod_of(request)
    tail = addresses[0].packed[-4:]
    return Attachment(
        container_id=request.container_id,
        ifname=request.ifname,
        network=request.config.name,
        netns=request.netns,
        namespace=namespace,
        name=name,
        endpoint=endpoint,
        node_ifname=node_ifname_of(request),
        mac=b"\x0a\x58" + tail,
        node_mac=b"\x0e\x58" + tail,
        addresses=addresses,
        identity=identity,
        mtu=budget.device,
        route_mtu=budget.route,
    )


def wiring_of(attachment: Attachment, node_addresses: tuple[Address, ...]) -> PodWiring:
    """An attachment as a link."""
    return PodWiring(
        netns=attachment.netns,
        ifname=attachment.ifname,
        mac=attachment.mac,
        node_ifname=attachment.node_ifname,
        node_mac=attachment.node_mac,
        addresses=attachment.addresses,
        mtu=attachment.mtu,
        route_mtu=attachment.route_mtu,
        node_addresses=node_addresses,
    )


def endpoint_of(attachment: Attachment, link: Link) -> Endpoint:
    """An attachment as an endpoint; `link` is the node's end."""
    return Endpoint(
        id=attachment.endpoint,
        name=attachment.name,
        namespace=attachment.namespace,
        ifname=attachment.node_ifname,
        ifindex=link.index,
        addresses=attachment.addresses,
        mac=attachment.mac,
        node_mac=attachment.node_mac,
        identity=attachment.identity,
    )


def result_of(attachment: Attachment) -> CniResult:
    """An attachment as the result of its ADD."""
    return CniResult(
        node_ifname=attachment.node_ifname,
        node_mac=attachment.node_mac,
        ifname=attachment.ifname,
        mac=attachment.mac,
        netns=attachment.netns,
        addresses=attachment.addresses,
        gateways=wiring_of(attachment, ()).gateways,
        mtu=attachment.mtu,
        route_mtu=attachment.route_mtu,
    )


def differences(previous: Mapping[str, Any], made: Attachment) -> list[str]:
    """Compare a result that a runtime has kept with an attachment; none if it has kept none."""
    if not previous:
        return []
    ips = previous.get("ips")
    try:
        told = {ip_interface(one["address"]).ip for one in ips} if isinstance(ips, list) else set()
    except (ValueError, TypeError, KeyError):
        return ["prevResult.ips cannot be read"]
    missing = [address for address in made.addresses if address not in told]
    return [f"prevResult has not the address {address}" for address in missing]
