# SPDX-License-Identifier: Apache-2.0
"""The stranger's plugin beyond its own test: families, probes, swaps, replies and bad settings."""

from __future__ import annotations

import pytest

from axoneme.config import parse_config
from axoneme.errors import ConfigError
from axoneme.host import PluginHost
from axoneme.testing.packets import TCP, UDP, Ethernet, IPv4, IPv6

REASON = "portguard_closed_port"
METRIC = "axoneme_portguard_refused_packets_total"


def section(*closed):
    """The plugin's section."""
    return f"[portguard]\nclosed = {list(closed)}"


pytestmark = pytest.mark.axoneme_plugin(
    "portguard", section("10.1.0.2:8080/tcp", "[fd00:10:1::2]:53/udp")
)


def test_ports_are_closed_by_family_and_protocol(pipeline):
    """Of one pod, TCP 8080 by IPv4 and UDP 53 by IPv6: the other two of each are open."""
    client, server = pipeline.add_pod(), pipeline.add_pod()
    for protocol, port in (("tcp", 8080), ("udp", 53)):
        server.serve(port, protocol=protocol)
    quick = {"timeout": 0.2}
    assert not client.reaches(server.ipv4, 8080, **quick)
    assert client.reaches(server.ipv6, 8080)
    assert not client.reaches(server.ipv6, 53, protocol="udp", **quick)
    assert client.reaches(server.ipv4, 53, protocol="udp")
    udp = {"address": "fd00:10:1::2", "port": "53", "protocol": "udp"}
    assert pipeline.sample(METRIC, **udp) == 1
    assert pipeline.sample(METRIC, protocol="tcp") == pipeline.dropped(REASON) - 1


def test_the_node_is_refused_as_pods_are(pipeline):
    """What comes to the pod from its node; the other way round nothing is closed."""
    peer, closed = pipeline.add_pod(), pipeline.add_pod()
    for pod in (peer, closed):
        pod.serve(8080)
    assert not pipeline.node.reaches(closed.ipv4, 8080, timeout=0.2)
    assert closed.reaches(peer.ipv4, 8080)


def test_replies_to_a_pod_with_a_closed_port_pass(pipeline):
    """It asks from any other port, and is answered in both families."""
    peer, closed = pipeline.add_pod(), pipeline.add_pod()
    peer.serve(9090)
    for address in peer.addresses:
        assert closed.request(address, 9090, b"hello") == b"hello"
    assert pipeline.drop_reasons() == {}


def test_a_probe_is_answered_and_not_counted(pipeline):
    """The lane of the plugin says drop; its counter and core's stay."""
    client, server = pipeline.add_pod(), pipeline.add_pod()
    packet = Ethernet(client.node_mac, client.mac) / IPv4(client.ipv4, server.ipv4) / TCP(1, 8080)
    run, steps = pipeline.probe("from_pod", bytes(packet), pod=client)
    assert run.verdict.name == "DROP"
    assert (steps[-1].stage, steps[-1].verdict.name) == ("policy", "DROP")
    assert pipeline.sample(METRIC) == pipeline.dropped(REASON) == 0
    pipeline.run("from_pod", bytes(packet), pod=client)
    assert pipeline.sample(METRIC) == pipeline.dropped(REASON) == 1


def test_another_protocol_to_the_same_port_passes(pipeline):
    """A key is address, port and protocol together."""
    client, server = pipeline.add_pod(), pipeline.add_pod()
    ethernet = Ethernet(client.node_mac, client.mac)
    udp = ethernet / IPv4(client.ipv4, server.ipv4) / UDP(1, 8080)
    tcp = ethernet / IPv6(client.ipv6, server.ipv6) / TCP(1, 53)
    for packet in (udp, tcp):
        run, _ = pipeline.probe("from_pod", bytes(packet), pod=client)
        assert run.verdict.name != "DROP"


def test_counters_outlive_a_change_of_settings(pipeline):
    """A port that stays closed goes on counting, one that opens is forgotten, a new one begins."""
    client, server = pipeline.add_pod(), pipeline.add_pod()
    server.serve(53, protocol="udp")
    ask = {"protocol": "udp", "timeout": 0.1}
    assert not client.reaches(server.ipv6, 53, **ask)
    closed = section("[fd00:10:1::2]:53/udp", "10.1.0.2:53/udp")
    assert pipeline.configure(closed).refusal == ""
    assert not client.reaches(server.ipv6, 53, **ask)
    assert not client.reaches(server.ipv4, 53, **ask)
    assert pipeline.sample(METRIC, address="fd00:10:1::2") == 2
    assert pipeline.sample(METRIC, address="10.1.0.2", protocol="udp") == 1
    (metric,) = pipeline.metrics()["portguard"]
    assert len(metric.samples) == 2
    pipeline.configure(section())
    assert client.reaches(server.ipv4, 53, protocol="udp")
    assert pipeline.metrics()["portguard"][0].samples == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *[
            (text, f"{text!r} is no port: write 10.1.0.2:8080/tcp or [fd00::2]:53/udp")
            for text in (
                "10.1.0.2:8080",
                "10.1.0.2/tcp",
                "10.1.0.2:65536/tcp",
                "10.1.0.2:-1/tcp",
                "10.1.0.2:http/tcp",
                "10.1.0.2:80/icmp",
                "fd00::2:53/udp",
                "",
            )
        ],
        ("10.1.0:53/udp", "'10.1.0' does not appear to be an IPv4 or IPv6 address"),
        ("[::ffff:a01:2]:53/udp", "::ffff:a01:2 is IPv4 in disguise: write it as 10.1.0.2"),
    ],
)
def test_a_value_that_is_no_port_is_named(text, message):
    """With key and line, beside one that is right."""
    lines = ["[agent]", 'plugins = ["portguard"]', section("10.1.0.2:8080/tcp", text)]
    with pytest.raises(ConfigError) as caught:
        parse_config("\n".join(lines), PluginHost(), name="axoneme.toml")
    assert str(caught.value) == f"axoneme.toml:4: portguard.closed: {message}"
