# SPDX-License-Identifier: Apache-2.0
"""Ports as people write them."""

from __future__ import annotations

import pytest

from axoneme import Port, parse_ports


@pytest.mark.parametrize("text", ["10.1.0.2:8080/tcp", "[fd00::2]:53/udp", "10.1.0.2:9/sctp"])
def test_a_port_reads_as_it_is_written(text):
    """Both families, and each protocol that has ports."""
    assert str(Port.parse(text)) == text


def test_a_port_has_the_fields_of_a_maps_key():
    """Sixteen bytes of address, the number, the protocol's number."""
    port = Port.parse("10.1.0.2:8080/tcp")
    assert port.address == bytes(10) + bytes([255, 255, 10, 1, 0, 2])
    assert (port.port, port.proto) == (8080, 6)


def test_the_first_text_that_is_no_port_is_named():
    """With what to write instead."""
    with pytest.raises(
        ValueError, match=r"'10\.1\.0\.2:80' is no port: write 10\.1\.0\.2:8080/tcp"
    ):
        parse_ports(["10.1.0.2:8080/tcp", "10.1.0.2:80"])
