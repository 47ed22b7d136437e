# SPDX-License-Identifier: Apache-2.0
"""The hooks of portguard, and its settings."""

from importlib.resources import files

from attrs import field, frozen
from prometheus_client.core import CounterMetricFamily

from axoneme import PluginObject, Port, hookimpl, parse_ports
from axoneme_portguard import _codec


@frozen
class PortguardConfig:
    closed: list[Port] = field(factory=list, converter=parse_ports)


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
    for key, packets in datapath.table("portguard_closed", _codec).read():
        refused.add_metric(Port(**key).labels, packets)
    return [refused]
