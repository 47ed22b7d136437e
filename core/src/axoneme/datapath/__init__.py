# SPDX-License-Identifier: Apache-2.0
"""The datapath: objects of plugins linked into core's trunks, loaded, attached, replaced in place.

datapath = Datapath.open(Path("/sys/fs/bpf"))
datapath.commit(datapath.prepare({"tc": objects}))
datapath.add_endpoint(endpoint)
"""

from __future__ import annotations

from ._kernel import MapInfo, map_info
from .assembly import Assembly
from .attachments import Drift
from .counters import Count, Drop
from .datapath import Datapath, Device, Swap
from .features import (
    feature_since,
    helper_names,
    kernel_version,
    map_type_names,
    require,
    supported,
)
from .images import Trunk, all_stages, trunk, trunk_names
from .loaders import (
    BccLoader,
    LibbpfLoader,
    LoadedObject,
    LoadedProgram,
    Loader,
    LoadRequest,
)
from .parts import Part, Refused
from .pins import Pins
from .preflight import preflight
from .reasons import Reason
from .tables import Rows, Table
from .testruns import Step, TestRun, Verdict

__all__ = [
    "Assembly",
    "BccLoader",
    "Count",
    "Datapath",
    "Device",
    "Drift",
    "Drop",
    "LibbpfLoader",
    "LoadRequest",
    "LoadedObject",
    "LoadedProgram",
    "Loader",
    "MapInfo",
    "Part",
    "Pins",
    "Reason",
    "Refused",
    "Rows",
    "Step",
    "Swap",
    "Table",
    "TestRun",
    "Trunk",
    "Verdict",
    "all_stages",
    "feature_since",
    "helper_names",
    "kernel_version",
    "map_info",
    "map_type_names",
    "preflight",
    "require",
    "supported",
    "trunk",
    "trunk_names",
]
