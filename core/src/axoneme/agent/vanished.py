# SPDX-License-Identifier: Apache-2.0
"""Pods that went without a word, as all do when the node restarts: their endpoints go after them.

Endpoints are in the state directory, which outlives a restart of the node; what the CNI made, and
its attachments, are not. An endpoint is the CNI's by the name of its device. Those that others
wrote are theirs to remove.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cni_values import POD_DEVICE

if TYPE_CHECKING:
    from axoneme.agent.cluster import Cluster
    from axoneme.cni import Attachments
    from axoneme.net import Netlink


def forget_vanished(cluster: Cluster, attachments: Attachments, netlink: Netlink) -> list[str]:
    """Remove this node's endpoints whose pods are gone, ; a sentence each.

    An ADD or a DEL that is under way has an attachment, and is left to itself.
    """
    suspects = [
        record
        for record in cluster.own_endpoints()
        if POD_DEVICE.fullmatch(record.ifname)
        and not attachments.of_pod(record.namespace, record.name)
    ]
    if not suspects:
        return []
    present = {link.name for link in netlink.links()}
    found = []
    for record in suspects:
        if record.ifname not in present:
            cluster.detach(record.id)
            cluster.delete(record.namespace, record.name)
            addresses = " and ".join(map(str, record.addresses))
            found.append(
                f"endpoint {record}: its device {record.ifname} is gone and no attachment speaks "
                f"of it; {addresses} will be free for others, unless the pod comes back"
            )
    return found
