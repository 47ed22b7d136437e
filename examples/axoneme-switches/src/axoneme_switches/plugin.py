# SPDX-License-Identifier: Apache-2.0
"""The hooks of switches."""

from importlib.resources import files

from prometheus_client.core import CounterMetricFamily

from axoneme import PluginObject, hookimpl


@hookimpl
def axoneme_objects():
    return [PluginObject(files("axoneme_switches") / "bpf" / "switches.c", loader="bcc")]


@hookimpl
def axoneme_metrics(datapath):
    switches = CounterMetricFamily("axoneme_switches", "Context switches", labels=["cpu"])
    for cpu, count in datapath.standalone_map("switches", "switches", key="I", value="Q").read():
        switches.add_metric([str(cpu)], count)
    return [switches]
