# SPDX-License-Identifier: Apache-2.0
"""Addresses as map keys."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axoneme import pack_address, unpack_address


def test_ipv4_is_carried_v4_mapped():
    """A key has 16 bytes whatever the family."""
    assert pack_address("10.0.0.1") == bytes(10) + b"\xff\xff\x0a\x00\x00\x01"
    assert pack_address(IPv4Address("10.0.0.1")) == pack_address("10.0.0.1")


def test_ipv6_is_carried_as_it_is():
    """A key is the address in network order."""
    assert pack_address("fd00::1") == b"\xfd" + bytes(14) + b"\x01"


@given(st.ip_addresses())
def test_an_address_comes_back_from_its_key(address):
    """Packing loses nothing, the family included."""
    if not isinstance(address, IPv6Address) or address.ipv4_mapped is None:
        assert unpack_address(pack_address(address)) == address


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("::ffff:10.0.0.1", "write it as 10.0.0.1"),
        ("fe80::1%eth0", "has a scope"),
        ("10.0.0", "'10.0.0'"),
    ],
)
def test_an_address_with_two_forms_is_refused(text, told):
    """What would share its key with another address, or lose a part, is no address of ours."""
    with pytest.raises(ValueError, match=told):
        pack_address(text)


def test_a_key_of_another_size_is_refused():
    """A row of another map is not taken for an address."""
    with pytest.raises(ValueError, match="has 16 bytes, not 4"):
        unpack_address(b"\x0a\x00\x00\x01")


def test_a_view_of_memory_can_be_unpacked():
    """Keys are read where they lie."""
    assert unpack_address(memoryview(pack_address("10.0.0.1"))) == IPv4Address("10.0.0.1")
