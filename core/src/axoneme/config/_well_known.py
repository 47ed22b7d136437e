# SPDX-License-Identifier: Apache-2.0
"""Keys that many networks are configured with, and the plugin whose each is.

The plugin declares the key, and takes it; this is for the case that it is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from axoneme.config._configuration import Sections

_OWNERS = {
    "bandwidth": ("bandwidthManager", "enable-bandwidth-manager"),
    "clustermesh": ("clustermesh", "cluster.id", "cluster-id"),
    "encryption": ("encryption", "enable-wireguard", "enable-ipsec"),
    "hubble": ("hubble", "enable-hubble", "hubble-metrics", "hubble-listen-address"),
    "ipam": (
        "ipam",
        "cluster-pool-ipv4-cidr",
        "cluster-pool-ipv4-mask-size",
        "cluster-pool-ipv6-cidr",
        "cluster-pool-ipv6-mask-size",
        "ipamMultiPoolPreAllocation",
        "ipam-multi-pool-pre-allocation",
        "ipam-default-ip-pool",
    ),
    "l7": ("l7Proxy", "enable-l7-proxy", "envoy"),
    "sockops": ("socketLB", "kubeProxyReplacement", "kube-proxy-replacement", "bpf-lb-sock"),
    "tc": (
        "bpf.masquerade",
        "enable-bpf-masquerade",
        "enableIPv4Masquerade",
        "enableIPv6Masquerade",
        "enable-ipv4-masquerade",
        "enable-ipv6-masquerade",
        "loadBalancer.mode",
        "loadBalancer.algorithm",
        "bpf-lb-mode",
        "bpf-lb-algorithm",
    ),
    "xdp": ("loadBalancer.acceleration", "bpf-lb-acceleration", "enable-xdp-acceleration"),
}


def owner_of(key: str) -> str | None:
    """Return the plugin whose key this is, or whose table it is in."""
    for plugin, keys in _OWNERS.items():
        if any(key == known or key.startswith(f"{known}.") for known in keys):
            return plugin
    return None


@frozen
class Names:
    """What a file can name: sections, and other spellings of keys."""

    known: Sections
    enabled: tuple[str, ...]
    aliases: tuple[str, ...]

    @property
    def sections(self) -> set[str]:
        """Every section that there may be."""
        return {"agent", *self.known.classes, *self.known.unchecked, *self.enabled}

    @property
    def unusable(self) -> set[str]:
        """Plugins that are enabled and rejected: why is told elsewhere."""
        return set(self.enabled) - self.known.classes.keys()

    def advice(self, plugin: str) -> str:
        """Say of a key of a plugin why it is not taken, and what to do."""
        what = f"is a key of the plugin {plugin}, which"
        if plugin in self.known.classes:
            return f"{what} does not take it in this version"
        if plugin in self.known.unchecked:
            return f"{what} is off: add it to agent.plugins"
        return f"{what} is not installed: install axoneme-{plugin}, and add it to agent.plugins"
