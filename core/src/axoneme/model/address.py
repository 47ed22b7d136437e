# SPDX-License-Identifier: Apache-2.0
"""Addresses as map keys carry them: 16 bytes, IPv4 in its v4-mapped form."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

ADDRESS_BYTES = 16
_MAPPED = bytes(10) + b"\xff\xff"


def parse_address(address: str | Address) -> Address:
    """Return the one form in which an address is kept, or raise ValueError.

    A v4-mapped address is refused since it would share its key with the IPv4 address, and a
    scope since a key has no place for it.
    """
    parsed = ip_address(address) if isinstance(address, str) else address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            raise ValueError(f"{parsed} is IPv4 in disguise: write it as {parsed.ipv4_mapped}")
        if parsed.scope_id is not None:
            raise ValueError(f"{parsed} has a scope: write it without %{parsed.scope_id}")
    return parsed


def pack_address(address: str | Address) -> bytes:
    """Return the 16 bytes of a map key for an address."""
    parsed = parse_address(address)
    return parsed.packed if isinstance(parsed, IPv6Address) else _MAPPED + parsed.packed


def unpack_address(key: bytes) -> Address:
    """Return the address in the 16 bytes of a map key."""
    packed = bytes(key)
    if len(packed) != ADDRESS_BYTES:
        raise ValueError(f"an address in a map has {ADDRESS_BYTES} bytes, not {len(packed)}")
    if packed.startswith(_MAPPED):
        return IPv4Address(packed[len(_MAPPED) :])
    return IPv6Address(packed)
