# SPDX-License-Identifier: Apache-2.0
"""Every metric of core, in one place: its kind, labels and sentence. The documentation reads it.

Those that Cilium has too are called as there, since people's dashboards and alerts go by the names.
No label has a pod, an address or a port in it: the number of series does not grow with traffic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["counter", "gauge", "histogram"]


@frozen
class Described:
    """A metric; a counter's name is without the `_total` that it is shown with."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    def family(self, samples: Iterable[tuple[tuple[str, ...], Any]]) -> Any:
        """The metric with a value for each tuple of labels; a histogram's is a `Durations`."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        if self.kind == "histogram":
            histogram = HistogramMetricFamily(self.name, self.help, labels=self.labels)
            for labels, durations in samples:
                histogram.add_metric(labels, durations.buckets(), durations.total)
            return histogram
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        made = kind(self.name, self.help, labels=self.labels)
        for labels, value in samples:
            made.add_metric(labels, value)
        return made

    @property
    def shown(self) -> str:
        """The name as it is scraped."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


_ALL: Final = (
    # Packets
    Described("cilium_drop_count", "counter", "Packets that were dropped", ("reason", "direction")),
    Described("cilium_drop_bytes", "counter", "Bytes that were dropped", ("reason", "direction")),
    Described(
        "cilium_forward_count",
        "counter",
        "Packets of pods that passed, by the pod's side",
        ("direction",),
    ),
    Described(
        "cilium_forward_bytes",
        "counter",
        "Bytes of pods that passed, by the pod's side",
        ("direction",),
    ),
    Described(
        "axoneme_verdicts", "counter", "Packets by what a trunk decided", ("trunk", "verdict")
    ),
    Described(
        "axoneme_drops",
        "counter",
        "Packets dropped, by trunk and who drops for this reason",
        ("trunk", "reason", "owner"),
    ),
    Described(
        "axoneme_events",
        "counter",
        "Events by what became of them: sent, lost when the ring was full, or limited by the rate",
        ("type", "fate"),
    ),
    Described(
        "cilium_bpf_ratelimit_dropped", "counter", "Events that the rate has kept back", ("usage",)
    ),
    # Programs and maps
    Described("axoneme_lanes", "gauge", "Plugins linked into a stage", ("stage",)),
    Described("axoneme_plugins", "gauge", "Plugins by status", ("status",)),
    Described(
        "axoneme_verified_instructions",
        "gauge",
        "Instructions that the verifier went through",
        ("trunk",),
    ),
    Described("axoneme_verifier_seconds", "gauge", "How long the verifier took", ("trunk",)),
    Described("axoneme_link_seconds", "gauge", "How long linking took, the last time", ("image",)),
    Described("axoneme_load_seconds", "gauge", "How long loading took, the last time", ("image",)),
    Described("axoneme_swaps", "counter", "Swaps of all programs", ("outcome",)),
    Described("axoneme_swap_seconds", "histogram", "From the first program replaced to the last"),
    Described("axoneme_drift", "gauge", "Attachments that are not as they should be, now"),
    Described("cilium_bpf_map_pressure", "gauge", "How full a map is, 1 being full", ("map_name",)),
    Described("cilium_bpf_map_capacity", "gauge", "Rows that a map has room for", ("map_group",)),
    # Connections
    Described(
        "cilium_datapath_conntrack_gc_runs",
        "counter",
        "Collections of connections",
        ("family", "protocol", "status"),
    ),
    Described(
        "cilium_datapath_conntrack_gc_entries",
        "gauge",
        "What the last collection met",
        ("family", "protocol", "status"),
    ),
    Described(
        "cilium_datapath_conntrack_gc_duration_seconds",
        "histogram",
        "How long collecting took",
        ("family", "protocol", "status"),
    ),
    Described(
        "cilium_datapath_conntrack_gc_interval_seconds", "gauge", "From one collection to the next"
    ),
    # Endpoints, identities, policies
    Described("cilium_endpoint", "gauge", "Endpoints of this node that are attached"),
    Described("cilium_endpoint_state", "gauge", "Endpoints by state", ("endpoint_state",)),
    Described(
        "cilium_endpoint_regenerations",
        "counter",
        "Endpoints that were given other programs",
        ("outcome",),
    ),
    Described("cilium_identity", "gauge", "Identities that this node knows", ("type",)),
    Described("cilium_policy", "gauge", "Policies in effect"),
    Described("cilium_policy_max_revision", "gauge", "How often policies have changed"),
    Described(
        "cilium_policy_change",
        "counter",
        "Changes of policies",
        ("outcome", "source", "operation"),
    ),
    Described(
        "cilium_policy_endpoint_enforcement_status",
        "gauge",
        "Endpoints by the directions in which policies hold",
        ("enforcement",),
    ),
    Described(
        "cilium_policy_implementation_delay",
        "histogram",
        "Seconds from the news of a change until it was in effect on this node",
        ("source",),
    ),
    Described("axoneme_rule_sets", "gauge", "Identities of this node whose rules are in the maps"),
    # Addresses and nodes
    Described("cilium_ipam_capacity", "gauge", "Addresses that pods can have", ("family",)),
    Described("cilium_ip_addresses", "gauge", "Addresses that pods have", ("family",)),
    Described(
        "cilium_ipam_events",
        "counter",
        "Addresses that were given and taken back: allocate or release",
        ("action", "datapath_family"),
    ),
    Described(
        "axoneme_ipam_pool_addresses",
        "gauge",
        "Addresses of a pool on this node: used, resting after their release, or free",
        ("pool", "family", "state"),
    ),
    Described("axoneme_nodes", "gauge", "Nodes of the cluster, this one among them"),
    # The agent
    Described(
        "cilium_api_process_time_seconds",
        "histogram",
        "How long requests of the CNI took",
        ("path", "method", "return_code"),
    ),
    Described(
        "cilium_agent_bootstrap_seconds", "gauge", "How long the start took", ("scope", "outcome")
    ),
    Described("cilium_controllers_runs", "counter", "Rounds of repair", ("status",)),
    Described(
        "cilium_controllers_runs_duration_seconds",
        "histogram",
        "How long a round took",
        ("status",),
    ),
    Described("cilium_controllers_failing", "gauge", "What could not be repaired the last time"),
    Described(
        "axoneme_repairs",
        "counter",
        "What was found to be otherwise than it should be",
        ("reconciler", "outcome"),
    ),
    Described(
        "cilium_errors_warnings",
        "counter",
        "Errors and warnings in the log",
        ("level", "subsystem"),
    ),
    Described("axoneme_problems", "gauge", "Problems that status tells of"),
    Described("cilium_version", "gauge", "What runs", ("version", "revision", "arch")),
)
CATALOG: Final = {one.name: one for one in _ALL}
