# SPDX-License-Identifier: Apache-2.0
"""Core's own section."""

from __future__ import annotations

import re
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from attrs import field, frozen
from attrs.validators import optional

from axoneme.config.durations import span
from axoneme.defaults import RUN_DIR

_NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_DEVICE = re.compile(r"[^/:\s]{1,15}")
_U16, _U32 = 0xFFFF, 0xFFFFFFFF
_MOST_EVENTS = 1_000_000_000
_FOLLOWED: dict[str, object] = {"effect": "RELOAD"}
_MOST_KEPT = 1 << 24


def _absolute(_: object, __: object, value: Path | None) -> None:
    if value is not None and not value.is_absolute():
        raise ValueError(f"must be an absolute path, not {str(value)!r}")


def _ratio(_: object, __: object, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"must be 0 to 1, not {value}")


def _distinct(_: object, __: object, value: tuple[str, ...]) -> None:
    twice = sorted({name for name in value if value.count(name) > 1})
    if twice:
        raise ValueError(f"has {', '.join(map(repr, twice))} more than once")


def _devices(_: object, __: object, value: tuple[str, ...]) -> None:
    for name in value:
        if not _DEVICE.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a device")


def _entries(_: object, __: object, value: int) -> None:
    if not 1 <= value <= _U32:
        raise ValueError(f"must be 1 to {_U32}, not {value}")


def _ring_bytes(_: object, __: object, value: int) -> None:
    if not 1 << 12 <= value <= 1 << 30 or value & (value - 1):
        raise ValueError(f"must be a power of two from 4096 to {1 << 30}, not {value}")


@frozen
class MapEntries:
    """How many entries the shared maps have; of `events` it is bytes, of which one takes 136.

    A map that is pinned keeps its size until the agent starts without the pin. conntrack has as
    many as `bpf-map-dynamic-size-ratio` allows, unless it is said here.
    """

    endpoints: int = field(default=65536, validator=_entries)
    ipcache: int = field(default=65536, validator=_entries)
    cidrs: int = field(default=16384, validator=_entries)
    nodes: int = field(default=16384, validator=_entries)
    conntrack: int | None = field(default=None, validator=optional(_entries))
    policy: int = field(default=65536, validator=_entries)
    rule_sets: int = field(default=16384, validator=_entries)
    events: int = field(default=1 << 22, validator=_ring_bytes)


class RoutingMode(Enum):
    """How packets reach the pods of other nodes: as they are, or through a tunnel."""

    NATIVE = "native"
    TUNNEL = "tunnel"


class TunnelProtocol(Enum):
    """What packets are put into on their way between nodes."""

    VXLAN = "vxlan"


def _label(_: object, __: object, value: str) -> None:
    if value and not _NODE_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name of a node: lower case letters, digits, - and .")


def _rate(_: object, __: object, value: int) -> None:
    if not 0 <= value <= _MOST_EVENTS:
        raise ValueError(f"must be 0 to {_MOST_EVENTS}, not {value}")


def _kept(_: object, __: object, value: int) -> None:
    if not 0 <= value <= _MOST_KEPT:
        raise ValueError(f"must be 0 to {_MOST_KEPT}, not {value}")


def _serve_addr(_: object, __: object, value: str) -> None:
    host, colon, port = value.rpartition(":")
    if not value or (colon and port.isdecimal() and 1 <= int(port) <= _U16 and _is_host(host)):
        return
    raise ValueError(f"must be such as ':9962', '192.0.2.1:9962' or '[::1]:9962', not {value!r}")


def _is_host(text: str) -> bool:
    try:
        if text.startswith("[") and text.endswith("]"):
            return bool(IPv6Address(text[1:-1]))
        return not text or bool(IPv4Address(text))
    except ValueError:
        return False


@frozen
class AgentConfig:
    """The settings of the agent itself: the section `[agent]`.

    `plugins` says which plugins are on, in no particular order; the others are not imported.
    `bpffs` is where programs and maps are pinned, and `cgroup` the cgroup2 directory that the
    socket trunks are attached to ("" attaches none). `state-dir` holds desired state, `run-dir`
    the agent's socket. `uplinks` are the devices by which packets leave the node.

    `routing-mode` says whether packets for pods of other nodes are sent as they are or through a
    tunnel. With native routing, `auto-direct-node-routes` has the agent route each node's pods by
    the node's address; without it the network does.

    `node-name` is what the cluster calls the node (the host's name if it is ""), and
    `node-addresses` are those by which the others reach it (those of its uplinks if there are
    none). `manifests-dir` has policies, pods, namespaces and pools of addresses as YAML.

    Which addresses pods get is said by the plugin for that, as `ipam`. One that was released rests
    for `address-quarantine`, since others may still know the pod that had it; one whose pod is gone
    without a word is free after `address-expiration`, for others than the same pod.

    `bpf-map-dynamic-size-ratio` is the part of the machine's memory for the maps whose need grows
    with it. `prometheus-serve-addr` is where metrics are served by HTTP, such as ":9962" on all
    addresses of the node; on none if it is "". `operator-prometheus-serve-addr` is the same for the
    operator.

    Of packets are told: drops, unless `bpf-events-drop-enabled` is false, what policies said
    (`bpf-events-policy-verdict-enabled`), and flows that open, close and go on
    (`bpf-events-trace-enabled`). `bpf-events-default-rate-limit` is how many of each of the three
    a CPU may tell in a second, after `bpf-events-default-burst-limit` at once; 0 is no limit, and
    both are given or none. The last `monitor-buffer` events are kept, of 128 bytes each.
    """

    plugins: tuple[str, ...] = field(default=(), validator=_distinct, metadata={"effect": "SWAP"})
    bpffs: Path = field(default=Path("/sys/fs/bpf"), validator=_absolute)
    cgroup: Path | None = field(default=None, validator=_absolute)
    state_dir: Path = field(default=Path("/var/lib/axoneme"), validator=_absolute)
    run_dir: Path = field(default=RUN_DIR, validator=_absolute)
    uplinks: tuple[str, ...] = field(default=(), validator=[_distinct, _devices])
    manifests_dir: Path = field(default=Path("/etc/axoneme/manifests"), validator=_absolute)
    cluster_name: str = field(default="default", metadata={"aliases": ("cluster.name",)})
    node_name: str = field(default="", validator=_label)
    node_addresses: tuple[IPv4Address | IPv6Address, ...] = ()
    address_quarantine: int | str = field(default="30s", validator=span, metadata=_FOLLOWED)
    address_expiration: int | str = field(default="10m", validator=span, metadata=_FOLLOWED)
    routing_mode: RoutingMode = field(
        default=RoutingMode.NATIVE, metadata={"aliases": ("routingMode",)}
    )
    tunnel_protocol: TunnelProtocol = field(
        default=TunnelProtocol.VXLAN, metadata={"aliases": ("tunnelProtocol",)}
    )
    auto_direct_node_routes: bool = field(
        default=True, metadata={"aliases": ("autoDirectNodeRoutes",)}
    )
    bpf_map_dynamic_size_ratio: float = field(
        default=0.0025, validator=_ratio, metadata={"aliases": ("bpf.mapDynamicSizeRatio",)}
    )
    prometheus_serve_addr: str = field(default="", validator=_serve_addr)
    operator_prometheus_serve_addr: str = field(default="", validator=_serve_addr)
    map_entries: MapEntries = MapEntries()
    bpf_events_drop_enabled: bool = field(
        default=True, metadata=_FOLLOWED | {"aliases": ("bpf.events.drop.enabled",)}
    )
    bpf_events_policy_verdict_enabled: bool = field(
        default=True, metadata=_FOLLOWED | {"aliases": ("bpf.events.policyVerdict.enabled",)}
    )
    bpf_events_trace_enabled: bool = field(
        default=True, metadata=_FOLLOWED | {"aliases": ("bpf.events.trace.enabled",)}
    )
    bpf_events_default_rate_limit: int = field(
        default=0,
        validator=_rate,
        metadata=_FOLLOWED | {"aliases": ("bpf.events.default.rateLimit",)},
    )
    bpf_events_default_burst_limit: int = field(
        default=0,
        validator=_rate,
        metadata=_FOLLOWED | {"aliases": ("bpf.events.default.burstLimit",)},
    )
    monitor_buffer: int = field(default=65536, validator=_kept, metadata=_FOLLOWED)

    def __attrs_post_init__(self) -> None:
        if bool(self.bpf_events_default_rate_limit) != bool(self.bpf_events_default_burst_limit):
            raise ValueError(
                "bpf-events-default-rate-limit and bpf-events-default-burst-limit need each other"
            )
