# SPDX-License-Identifier: Apache-2.0
"""The datapath: objects of plugins linked into core's trunks, loaded, attached, replaced in place.

datapath = Datapath.open(Path("/sys/fs/bpf"))
datapath.commit(datapath.prepare({"tc": objects}))
datapath.add_endpoint(endpoint)
"""

from __future__ import annotations

from ._kernel import MapInfo, map_info
from .assembly import Assembly
from .attached import Attached, read_attached
from .attachments import Drift, remove_clsact
from .collector import Collection, Collector
from .conntrack import Flow, FlowState, read_flows
from .converters import Carried, Converter
from .counters import Count, Drop, trunk_numbers
from .datapath import Datapath, Device, Swap
from .events import (
    EventCount,
    EventFilter,
    EventKind,
    EventReader,
    EventTerm,
    EventType,
    decode_events,
    event_record,
    read_event_counts,
)
from .features import (
    feature_since,
    helper_names,
    kernel_version,
    map_type_names,
    require,
    supported,
)
from .filling import FillReader
from .images import Trunk, all_stages, trunk, trunk_names
from .ipcache_maps import IpcacheMaps, Network, Remote, unpack_network
from .loaders import (
    BccLoader,
    LibbpfLoader,
    LoadedObject,
    LoadedProgram,
    Loader,
    LoadRequest,
)
from .parts import Part, Refused
from .pinned import PinnedMaps
from .pins import Pins
from .policy_maps import PolicyMaps
from .preflight import preflight
from .probes import Step, TunnelKey
from .reasons import Reason
from .rule_names import RuleNames
from .runtime import Runtime
from .stored_rules import StoredRuleSet, read_rule_sets
from .tables import Rows, Table
from .testruns import TestRun, Verdict
from .usage import Usage

__all__ = [
    "Assembly",
    "Attached",
    "BccLoader",
    "Carried",
    "Collection",
    "Collector",
    "Converter",
    "Count",
    "Datapath",
    "Device",
    "Drift",
    "Drop",
    "EventCount",
    "EventFilter",
    "EventKind",
    "EventReader",
    "EventTerm",
    "EventType",
    "FillReader",
    "Flow",
    "FlowState",
    "IpcacheMaps",
    "LibbpfLoader",
    "LoadRequest",
    "LoadedObject",
    "LoadedProgram",
    "Loader",
    "MapInfo",
    "Network",
    "Part",
    "PinnedMaps",
    "Pins",
    "PolicyMaps",
    "Reason",
    "Refused",
    "Remote",
    "Rows",
    "RuleNames",
    "Runtime",
    "Step",
    "StoredRuleSet",
    "Swap",
    "Table",
    "TestRun",
    "Trunk",
    "TunnelKey",
    "Usage",
    "Verdict",
    "all_stages",
    "decode_events",
    "event_record",
    "feature_since",
    "helper_names",
    "kernel_version",
    "map_info",
    "map_type_names",
    "preflight",
    "read_attached",
    "read_event_counts",
    "read_flows",
    "read_rule_sets",
    "remove_clsact",
    "require",
    "supported",
    "trunk",
    "trunk_names",
    "trunk_numbers",
    "unpack_network",
]
