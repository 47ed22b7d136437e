# SPDX-License-Identifier: Apache-2.0
"""The relay: the hooks as methods, so that a type checker knows arguments and answers.

A hook's specification says what one plugin takes and returns; here is what the caller passes
and gets. The host adds `config`. What core itself does with a plugin's life, axoneme_config
and axoneme_stop, is not called from here; nor is axoneme_explain, which only the plugin whose lane
it is is asked, by `PluginHost.call`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Metric

    from axoneme.datapath import Datapath
    from axoneme.datapath.loaders import Loader
    from axoneme.model import (
        AddressPool,
        AddressRequest,
        AddressUsage,
        AssignmentPlan,
        Endpoint,
        IpamCluster,
        IpamNode,
        NodeIpam,
        PluginObject,
        PoolChoice,
    )


@final
class Hooks:
    """Calls a hook in all plugins that are on and implement it, in the order of their names.

    A plugin that fails is quarantined and missing from the answer; nothing is raised.
    """

    def __init__(self, fan_out: Callable[..., dict[str, Any]], first: Callable[..., Any]) -> None:
        self._fan_out = fan_out
        self._first = first

    def axoneme_objects(self) -> dict[str, tuple[PluginObject, ...]]:
        """Return each plugin's objects."""
        return self._fan_out("axoneme_objects")

    def axoneme_loader(self, *, name: str) -> Loader | None:
        """Return the loader of a name: core's own, or the first that a plugin provides."""
        return cast("Loader | None", self._first("axoneme_loader", name=name))

    def axoneme_fill(self, *, datapath: Datapath) -> tuple[str, ...]:
        """Let plugins write their maps; return which did."""
        return tuple(self._fan_out("axoneme_fill", datapath=datapath))

    def axoneme_endpoint_added(self, *, endpoint: Endpoint, datapath: Datapath) -> tuple[str, ...]:
        """Tell plugins of an endpoint; return which heard."""
        return tuple(self._fan_out("axoneme_endpoint_added", endpoint=endpoint, datapath=datapath))

    def axoneme_endpoint_removed(
        self, *, endpoint: Endpoint, datapath: Datapath
    ) -> tuple[str, ...]:
        """Tell plugins that an endpoint is gone; return which heard."""
        return tuple(
            self._fan_out("axoneme_endpoint_removed", endpoint=endpoint, datapath=datapath)
        )

    def axoneme_metrics(self, *, datapath: Datapath) -> dict[str, tuple[Metric, ...]]:
        """Return each plugin's metric families."""
        return self._fan_out("axoneme_metrics", datapath=datapath)

    def axoneme_address_pools(self, *, node: IpamNode) -> dict[str, tuple[AddressPool, ...]]:
        """Return each plugin's pools of addresses for a node."""
        return self._fan_out("axoneme_address_pools", node=node)

    def axoneme_choose_pools(
        self, *, pod: AddressRequest, node: IpamNode
    ) -> dict[str, PoolChoice | None]:
        """Return each plugin's choice of pools for a pod."""
        return self._fan_out("axoneme_choose_pools", pod=pod, node=node)

    def axoneme_node_ipam(
        self, *, node: IpamNode, usage: AddressUsage
    ) -> dict[str, NodeIpam | None]:
        """Return what each plugin has a node's resource say of its addresses."""
        return self._fan_out("axoneme_node_ipam", node=node, usage=usage)

    def axoneme_assign_networks(self, *, cluster: IpamCluster) -> dict[str, AssignmentPlan | None]:
        """Return each plugin's plan of which networks nodes get."""
        return self._fan_out("axoneme_assign_networks", cluster=cluster)
