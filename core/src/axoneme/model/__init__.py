# SPDX-License-Identifier: Apache-2.0
"""Frozen values that core, plugins and tests share; nothing here reads or writes anything."""

from __future__ import annotations

from axoneme.model.address import Address, pack_address, unpack_address
from axoneme.model.endpoint import Endpoint
from axoneme.model.objects import PluginObject
from axoneme.model.port import Port, parse_ports

__all__ = [
    "Address",
    "Endpoint",
    "PluginObject",
    "Port",
    "pack_address",
    "parse_ports",
    "unpack_address",
]
