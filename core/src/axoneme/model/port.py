# SPDX-License-Identifier: Apache-2.0
"""A port of an address, as people write it and as map keys carry it."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from axoneme.model.address import pack_address, unpack_address

_TEXT = re.compile(r"(?:\[(.+)\]|([^:]+)):(\d+)/(tcp|udp|sctp)")
_NUMBERS: Final = {"tcp": 6, "udp": 17, "sctp": 132}
_NAMES: Final = {number: name for name, number in _NUMBERS.items()}
_HIGHEST = 65535


@frozen
class Port:
    """One port: the 16 bytes of its address, its number, and the protocol's number.

    Its text is 10.1.0.2:8080/tcp or [fd00::2]:53/udp.
    """

    address: bytes
    port: int
    proto: int

    @classmethod
    def parse(cls, text: str) -> Port:
        """Return the port that a text means, or raise ValueError with what to write."""
        found = _TEXT.fullmatch(text)
        if not found or int(found[3]) > _HIGHEST:
            raise ValueError(f"{text!r} is no port: write 10.1.0.2:8080/tcp or [fd00::2]:53/udp")
        return cls(pack_address(found[1] or found[2]), int(found[3]), _NUMBERS[found[4]])

    @property
    def labels(self) -> tuple[str, str, str]:
        """Address, port and protocol as the labels of a metric."""
        address = str(unpack_address(self.address))
        return address, str(self.port), _NAMES.get(self.proto, str(self.proto))

    def __str__(self) -> str:
        address, port, protocol = self.labels
        host = f"[{address}]" if ":" in address else address
        return f"{host}:{port}/{protocol}"


def parse_ports(texts: list[str]) -> list[Port]:
    """Return the ports of a setting, or raise ValueError for the first text that means none."""
    return [Port.parse(text) for text in texts]
