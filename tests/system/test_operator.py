# SPDX-License-Identifier: Apache-2.0
"""Operators as processes: who leads, what nodes get, and what is wrong is named."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from ipaddress import IPv4Address, ip_network

import pytest
from tests.system.operators import Operated
from tests.system.pools import install_pools

from axoneme.cli.main import NO_AGENT
from axoneme.errors import AxonemeError
from axoneme.sources import EndpointRecord
from axoneme.testing import scaled


@pytest.fixture
def operated(tmp_path):
    """Nodes' resources and operators, which end with the test."""
    with Operated(tmp_path) as made:
        yield made


def command(operator, *words):
    """Run `axoneme operator` beside a running one."""
    line = [sys.executable, "-m", "axoneme", "operator", *words, "--config", str(operator.config)]
    return subprocess.run(
        line,
        capture_output=True,
        text=True,
        check=False,
        timeout=scaled(30),
        env=operator.environment,
    )


def complains(operator, *texts):
    """Whether all these texts are in what an operator says is wrong."""
    said = "\n".join(operator.ask("status")["problems"])
    return all(text in said for text in texts)


def test_the_second_takes_over_from_one_that_is_killed(operated):
    """Within a second, in the midst of its work; nothing is given twice."""
    operated.add_nodes(200)
    first, second = operated.operator("first").start(), operated.operator("second").start()
    assert first.leads
    assert not second.leads
    said = first.ask("status")
    assert f"process {first.process.pid}" in said["leader"]
    assert said["leader"] == second.ask("status")["leader"] == operated.source.leadership().leader()
    first.wait_for(lambda: any(operated.networks().values()), "the first node")
    first.kill()
    end = time.monotonic() + scaled(1)
    while not second.leads:
        assert time.monotonic() < end
    second.wait_for(lambda: operated.served, "every node to be served")
    operated.check(200)


def test_the_second_takes_over_from_one_that_ends(operated):
    """SIGTERM passes leadership on; nobody leads when the last one has ended."""
    first, second = operated.operator("first").start(), operated.operator("second").start()
    assert first.end() == 0
    second.wait_for(lambda: second.leads, "the second to lead")
    assert second.end() == 0
    assert operated.source.leadership().leader() == ""


def test_the_lock_is_removed_under_the_leader(operated):
    """It does not go on beside the one that leads then."""
    first, second = operated.operator("first").start(), operated.operator("second").start()
    (operated.source.state / ".operator.lock").unlink()
    second.wait_for(lambda: second.leads, "the second to lead")
    operated.add_nodes(3)
    first.wait_for(lambda: not first.leads, "the first to notice")
    second.wait_for(lambda: operated.served, "every node to be served")
    operated.check(3)
    assert any("another operator leads" in row["text"] for row in first.ask("status")["errors"])


def test_a_node_that_comes_is_served(operated):
    """Its networks are in its resource, and the pool's parts are counted."""
    operated.add_nodes(2)
    with operated.operator("one") as operator:
        operator.wait_for(lambda: operated.served, "the nodes that were there")
        operated.add_nodes(1, first=3)
        operator.wait_for(lambda: operated.served, "the one that came")
        operator.wait_for(lambda: operator.ask("status")["nodes"] == 3, "it to be counted")
        said = operator.ask("status")
        assert said["pools"] == [
            {"pool": "default", "family": "ipv4", "parts": 256, "given": 3, "free": 253}
        ]
        assert said["ok"]
        shown = command(operator, "status")
        assert shown.returncode == 0
        assert "253" in shown.stdout
        assert json.loads(command(operator, "status", "-o", "json").stdout)["leading"]
    operated.check(3)
    assert command(operator, "status").returncode == NO_AGENT


def test_a_pool_that_is_empty_and_grows(operated):
    """The node, its resource and the pool say so; a new configuration is followed."""
    one, _, three = operated.add_nodes(3)
    with operated.operator("one", '[pools]\nnetwork = "10.0.0.0/23"\n') as operator:
        error = "nothing is left of pools.network"
        operator.wait_for(lambda: complains(operator, error), "the problem to be named")
        assert operator.ask("status")["unserved"] == {three: error}
        assert operated.source.nodes.read().get(three).ipam.error == error
        assert operated.source.nodes.read().get(one).ipam.error == ""
        shown = command(operator, "status")
        assert shown.returncode == 1
        assert error in shown.stdout
        operated.configure(operator, '[pools]\nnetwork = "10.0.0.0/22"\n')
        operator.wait_for(lambda: operated.served, "the last node to be served")
        assert operated.source.nodes.read().get(three).ipam.error == ""
        operator.wait_for(lambda: operator.ask("status")["ok"], "the problem to go")
    operated.check(3)


def test_a_pool_that_moves_away_under_pods(operated):
    """Nodes keep what they have, and the pods are named."""
    (node,) = operated.add_nodes(1)
    with operated.operator("one") as operator:
        operator.wait_for(lambda: operated.served, "the node to be served")
        before = operated.networks()
        operated.source.write(
            EndpointRecord(
                7, "web", "shop", "lxc7", b"\x0a\x58\0\0\0\1", (IPv4Address("10.0.0.9"),), node=node
            )
        )
        operated.configure(operator, '[pools]\nnetwork = "10.9.0.0/16"\n')
        texts = ("node node1 has 10.0.0.0/24 of pool default", "only 10.9.0.0/16", "shop/web")
        operator.wait_for(lambda: complains(operator, *texts), "the pods to be named")
        assert operated.networks() == before


def test_a_configuration_that_is_wrong(operated):
    """It is named with file and line, and the old one stays in force; a process does not start."""
    with operated.operator("one") as operator:
        operated.configure(operator, "[pools]\nmaks = 25\n")
        operator.wait_for(lambda: complains(operator, "did you mean 'mask'?"), "the problem")
        operated.add_nodes(1)
        operator.wait_for(lambda: operated.served, "the node to be served all the same")
        with pytest.raises(AxonemeError, match="the old one stays"):
            operator.ask("reload")
    failed = command(operator)
    assert failed.returncode == 1
    assert "did you mean 'mask'?" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_two_plugins_that_plan(operated):
    """None is asked, and both are named; none that plans is named too."""
    install_pools(operated.directory / "plugins", "others")
    operated.add_nodes(1)
    operator = operated.operator("one")
    operated.configure(operator, plugins=("pools", "others"))
    with operator:
        operator.wait_for(lambda: complains(operator, "plugins others and pools both"), "that")
        assert not operated.served
        operated.configure(operator, plugins=())
        operator.wait_for(lambda: complains(operator, "no plugin that is on assigns"), "that")
        operated.configure(operator, plugins=("others",))
        operator.wait_for(lambda: operated.served, "the node to be served")


def test_a_plugin_that_fails(operated):
    """It is quarantined and named; nodes keep what they have, and it comes back when mended."""
    operated.add_nodes(1)
    with operated.operator("one") as operator:
        operator.wait_for(lambda: operated.served, "the node to be served")
        operated.configure(operator, "[pools]\nfaulty = true\n")
        operator.wait_for(lambda: complains(operator, "plugin pools is quarantined"), "that")
        operated.check(1)
        operated.configure(operator)
        operated.add_nodes(1, first=2)
        operator.wait_for(lambda: operated.served, "the second node to be served")
        operator.wait_for(lambda: operator.ask("status")["ok"], "the problem to go")


def test_a_node_whose_file_is_wrong_keeps_its_networks(operated):
    """It is named, the others are served, and nobody gets what the file still tells of."""
    broken = operated.source.nodes.directory / "node9.json"
    broken.write_text('{"spec": {"ipam": {"podCIDRs": ["10.0.0.0/24"]}}, ')
    operated.add_nodes(2)
    with operated.operator("one") as operator:
        operator.wait_for(lambda: operated.served, "the others to be served")
        assert operated.networks() == {
            "node1": (ip_network("10.0.1.0/24"),),
            "node2": (ip_network("10.0.2.0/24"),),
        }
        assert complains(operator, str(broken))


def test_a_node_that_is_kept_locked_holds_up_no_other(operated):
    """A process that stopped in the midst of a change is named with its file."""
    from axoneme.sources._files import locked

    operated.add_nodes(3)
    lock = operated.source.nodes.directory / ".node1.update"
    with locked(lock), operated.operator("one") as operator:
        operator.wait_for(lambda: complains(operator, "node node1 cannot", "locked"), "that")
        assert operated.networks()["node2"]
        assert operated.networks()["node3"]
    assert not operated.networks()["node1"]


def test_metrics_are_served(operated):
    """By HTTP, at the address of the configuration; the catalogue has them all."""
    from prometheus_client.parser import text_string_to_metric_families

    from axoneme.operator.metrics import CATALOG

    operated.add_nodes(2)
    operator = operated.operator("one", 'operator-prometheus-serve-addr = "127.0.0.1:19963"\n')
    with operator:
        operator.wait_for(lambda: operated.served, "the nodes to be served")
        operator.wait_for(lambda: operator.ask("status")["nodes"] == 2, "them to be counted")
        with urllib.request.urlopen("http://127.0.0.1:19963/metrics", timeout=scaled(5)) as answer:
            text = answer.read().decode()
    families = {f.name: f for f in text_string_to_metric_families(text)}
    assert families.keys() == CATALOG.keys()
    values = {(s.name, *s.labels.values()): s.value for f in families.values() for s in f.samples}
    assert values["axoneme_operator_leading",] == 1
    assert values["cilium_operator_ipam_nodes", "total"] == 2
    assert values["axoneme_operator_ipam_parts", "ipv4", "default", "given"] == 2


def test_two_operators_in_one_run_directory(operated):
    """The second says so, and takes nothing from the first."""
    with operated.operator("one") as operator:
        second = command(operator)
        assert second.returncode == 1
        assert "another operator answers" in second.stderr
        assert operator.leads
