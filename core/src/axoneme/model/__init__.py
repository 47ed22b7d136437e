# SPDX-License-Identifier: Apache-2.0
"""Frozen values that core, plugins and tests share; nothing here reads or writes anything."""

from __future__ import annotations

from axoneme.model.address import Address, pack_address, unpack_address
from axoneme.model.endpoint import Endpoint
from axoneme.model.identity import RESERVED, Identity, Reserved
from axoneme.model.ipam import (
    DEFAULT_POOL,
    AddressPool,
    AddressRange,
    AddressRequest,
    AddressUsage,
    Assignment,
    AssignmentPlan,
    FamilyPool,
    IpamCluster,
    IpamNode,
    NetworkUsage,
    NodeIpam,
    PodIPPool,
    PoolChoice,
    PoolDemand,
    PoolPart,
    PoolState,
    StrandedNetwork,
)
from axoneme.model.labels import Labels, pod_labels
from axoneme.model.lookup import Lookup
from axoneme.model.node import Network, NodeRecord
from axoneme.model.objects import PluginObject
from axoneme.model.policy import Direction, NamedPort, Policy, Rule
from axoneme.model.port import Port, parse_ports
from axoneme.model.rule_set import PolicyEntry, PolicyKey, RuleSet
from axoneme.model.selector import Selector

__all__ = [
    "DEFAULT_POOL",
    "RESERVED",
    "Address",
    "AddressPool",
    "AddressRange",
    "AddressRequest",
    "AddressUsage",
    "Assignment",
    "AssignmentPlan",
    "Direction",
    "Endpoint",
    "FamilyPool",
    "Identity",
    "IpamCluster",
    "IpamNode",
    "Labels",
    "Lookup",
    "NamedPort",
    "Network",
    "NetworkUsage",
    "NodeIpam",
    "NodeRecord",
    "PluginObject",
    "PodIPPool",
    "Policy",
    "PolicyEntry",
    "PolicyKey",
    "PoolChoice",
    "PoolDemand",
    "PoolPart",
    "PoolState",
    "Port",
    "Reserved",
    "Rule",
    "RuleSet",
    "Selector",
    "StrandedNetwork",
    "pack_address",
    "parse_ports",
    "pod_labels",
    "unpack_address",
]
