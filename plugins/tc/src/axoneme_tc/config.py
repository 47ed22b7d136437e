# SPDX-License-Identifier: Apache-2.0
"""The [tc] section of the configuration."""

from __future__ import annotations

from enum import Enum

from attrs import field, fields, frozen

from axoneme.config.durations import duration, parse_duration

from .validators import entries, lease, u32


class Aggregation(Enum):
    """How many of a flow's packets are told of: all of them, or one of many, or none between."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    MAXIMUM = "maximum"


class TcpFlag(Enum):
    """A TCP flag that can be asked for."""

    FIN = "fin"
    SYN = "syn"
    RST = "rst"
    ACK = "ack"


@frozen
class TcConfig:
    """Which objects of the plugin are linked, and what they are told."""

    #: Drop what a pod sends with an address that is not its own.
    admit: bool = True
    #: Deliver between two pods of a node without the kernel's routing.
    forward: bool = True
    #: Hold pods to the policies that select them.
    policy: bool = True
    #: Deliver what comes from other machines without the kernel's routing.
    deliver: bool = True
    #: Tell the tunnel device where each packet goes and who sent it, and believe nodes alone.
    overlay: bool = True
    #: Leave packets for pods of other nodes to the kernel's routing and its netfilter.
    enable_host_legacy_routing: bool = field(
        default=False, metadata={"aliases": ("bpf.hostLegacyRouting",)}
    )
    #: Let a node reach its own pods where a policy denies by default, as kubelet's probes must.
    allow_host: bool = True
    #: Know the flows that packets belong to, so that replies pass and policies are asked once.
    track: bool = True
    #: How long an established TCP or SCTP flow is known without packets.
    bpf_ct_timeout_regular_tcp: int | str = field(default="2h13m20s", validator=duration)
    #: The same while it is being opened.
    bpf_ct_timeout_regular_tcp_syn: int | str = field(default="60s", validator=duration)
    #: The same once it is closed or reset.
    bpf_ct_timeout_regular_tcp_fin: int | str = field(default="10s", validator=duration)
    #: The same for other protocols.
    bpf_ct_timeout_regular_any: int | str = field(default="60s", validator=duration)
    #: The same for other protocols until there is a reply.
    bpf_ct_timeout_regular_any_unreplied: int | str = field(default="30s", validator=duration)
    #: Of a flow's packets that pass, "medium" tells of one in an interval and of those with certain
    #: TCP flags, "maximum" of the first and the last only, "none" and "low" of every one.
    monitor_aggregation: Aggregation = field(
        default=Aggregation.MEDIUM, metadata={"aliases": ("bpf.monitorAggregation",)}
    )
    #: The interval, for each side of a flow.
    monitor_aggregation_interval: int | str = field(
        default="5s", validator=duration, metadata={"aliases": ("bpf.monitorInterval",)}
    )
    #: The TCP flags.
    monitor_aggregation_flags: tuple[TcpFlag, ...] = field(
        default=(TcpFlag.SYN, TcpFlag.FIN, TcpFlag.RST),
        metadata={"aliases": ("bpf.monitorFlags",)},
    )
    #: Datagrams whose fragments are under way at one time.
    bpf_fragments_map_max: int = field(default=8192, validator=entries)
    #: Let the socket of an established flow between two pods of the node keep its verdict.
    socket_cache: bool = True
    #: How long a socket's verdict holds; at most half of each of the timeouts above.
    socket_cache_lease: int | str = field(default="4s", validator=lease)
    #: Segments that a connection has sent before its socket keeps a verdict.
    socket_cache_after: int = field(default=8, validator=u32)

    def __attrs_post_init__(self) -> None:
        """Packets that are recalled do not keep their connection alive: leases must end before.

        Raises:
            ValueError: a timeout is too short for the lease.
        """
        if not self.socket_cache:
            return
        for name in self.timeouts():
            least = parse_duration(getattr(self, name)) / 2
            if parse_duration(self.socket_cache_lease) > least:
                key = name.replace("_", "-")
                raise ValueError(
                    f"socket-cache-lease ({self.socket_cache_lease}) must be at most half of "
                    f"{key} ({getattr(self, name)}): shorten the one, lengthen the other, or set "
                    "socket-cache = false"
                )

    @classmethod
    def timeouts(cls) -> tuple[str, ...]:
        """The names of all that say how long a flow is known."""
        return tuple(f.name for f in fields(cls) if f.name.startswith("bpf_ct_timeout"))
