# SPDX-License-Identifier: Apache-2.0
"""Keys and rows of a plugin's own map, as people read them."""

from __future__ import annotations

from axoneme.agent.explaining.rows import plain
from axoneme.model import pack_address


def test_fields_are_named_and_addresses_written_out():
    """What is no address and no number is written in hexadecimal."""
    key = {"address": pack_address("10.1.0.2"), "port": 8080, "mac": bytes.fromhex("0a580af40002")}
    assert plain(key) == "address 10.1.0.2, port 8080, mac 0a580af40002"
    assert plain(pack_address("fd00::2")) == "fd00::2"
    assert plain(7) == "7"
