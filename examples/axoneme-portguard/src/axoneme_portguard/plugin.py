# SPDX-License-Identifier: Apache-2.0
"""The hooks of portguard, and its settings."""

import re
from importlib.resources import files

from attrs import field, frozen
from prometheus_client.core import CounterMetricFamily

from axoneme import PluginObject, hookimpl, pack_address, unpack_address
from axoneme_portguard import _codec

PROTOCOLS = {"tcp": 6, "udp": 17}


def closed_ports(texts: list[str]) -> list[dict]:
    ports = []
    for text in texts:
        found = re.fullmatch(r"(?:\[(.+)\]|([^:]+)):(\d+)/(tcp|udp)", text)
        if not found or int(found[3]) > 65535:
            raise ValueError(f"{text!r} is no port: write 10.1.0.2:8080/tcp or [fd00::2]:53/udp")
        address, proto = pack_address(found[1] or found[2]), PROTOCOLS[found[4]]
        ports.append({"address": address, "port": int(found[3]), "proto": proto})
    return ports


@frozen
class PortguardConfig:
    closed: list[dict] = field(factory=list, converter=closed_ports)


@hookimpl
def axoneme_config():
    return PortguardConfig


@hookimpl
def axoneme_objects():
    return [PluginObject(files("axoneme_portguard") / "bpf" / "portguard.bpf.o")]


@hookimpl
def axoneme_fill(datapath, config):
    datapath.table("portguard_closed", _codec).reconcile_keys(config.closed)


@hookimpl
def axoneme_metrics(datapath):
    labels = ["address", "port", "protocol"]
    name = "axoneme_portguard_refused_packets"
    refused = CounterMetricFamily(name, "Packets to closed ports", labels=labels)
    names = {number: name for name, number in PROTOCOLS.items()}
    for key, packets in datapath.table("portguard_closed", _codec).read():
        address, protocol = unpack_address(key["address"]), names[key["proto"]]
        refused.add_metric([str(address), str(key["port"]), protocol], packets)
    return [refused]
