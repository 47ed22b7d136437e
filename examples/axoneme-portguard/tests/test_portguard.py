# SPDX-License-Identifier: Apache-2.0
"""Portguard between two pods: alone, and with all other plugins."""

import pytest

pytestmark = pytest.mark.axoneme_plugin("portguard", '[portguard]\nclosed = ["10.1.0.2:8080/tcp"]')


def test_a_closed_port_is_refused_and_counted(pipeline):
    client, server = pipeline.add_pod(), pipeline.add_pod()
    server.serve(8080)
    server.serve(8081)
    assert client.reaches(server.ipv4, 8081)
    assert not client.reaches(server.ipv4, 8080, timeout=0.3)
    assert pipeline.dropped("portguard_closed_port") > 0
    assert pipeline.sample("axoneme_portguard_refused_packets_total", port="8080") > 0
