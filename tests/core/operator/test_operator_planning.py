# SPDX-License-Identifier: Apache-2.0
"""Who plans, and what is said of networks that their pools would not give."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from axoneme.config import parse_config
from axoneme.host import PluginHost
from axoneme.model import AssignmentPlan, IpamCluster, StrandedNetwork
from axoneme.operator.planning import ask_for_plan, tell_of_stranded
from axoneme.sources import EndpointRecord
from axoneme.testing import fake_plugin

NETWORK = ip_network("10.0.0.0/24")


def host(**plans):
    """A host with a plugin for each name, which answers with a plan or raises."""

    def answering(plan):
        def axoneme_assign_networks(cluster):
            if isinstance(plan, Exception):
                raise plan
            return plan

        return axoneme_assign_networks

    plugins = [fake_plugin(n, axoneme_assign_networks=answering(p)) for n, p in plans.items()]
    made = PluginHost(entry_points=lambda: plugins, core_version="1.0")
    made.reconfigure(parse_config(f"[agent]\nplugins = {list(plans)}\n", made, name="test"))
    return made


def endpoint(name, address, node="one"):
    """A pod of a node."""
    addresses = (ip_address(address),)
    return EndpointRecord(1, name, "shop", f"lxc{name}", bytes(6), addresses, node=node)


def test_the_one_plugin_is_asked():
    """Its plan and its name are known."""
    plan = AssignmentPlan(problems=("one",))
    planned = ask_for_plan(host(pools=plan), IpamCluster())
    assert (planned.plan, planned.plugin, planned.problems) == (plan, "pools", ())


def test_a_plugin_that_needs_no_operator():
    """It answers None, and nothing is wrong."""
    planned = ask_for_plan(host(pools=None), IpamCluster())
    assert (planned.plan, planned.problems) == (None, ())


def test_two_plugins_are_not_asked():
    """Both are named."""
    planned = ask_for_plan(host(a=RuntimeError(), b=RuntimeError()), IpamCluster())
    assert planned.plan is None
    assert "plugins a and b both assign" in planned.problems[0]


def test_a_plugin_that_fails_is_named_from_then_on():
    """With what it raised; it is not asked again."""
    failing = host(a=RuntimeError("no idea"))
    for _ in range(2):
        planned = ask_for_plan(failing, IpamCluster())
        assert planned.plan is None
        assert "plugin a is quarantined" in planned.problems[0]
        assert "no idea" in planned.problems[0]


def test_pods_in_a_stranded_network_are_named():
    """Those of the node whose it is; so is that there are none."""
    pods = [
        endpoint("web", "10.0.0.1"),
        endpoint("db", "10.0.1.1"),
        endpoint("x", "10.0.0.2", "two"),
    ]
    stranded = StrandedNetwork("one", NETWORK, "has 10.9.0.0/16 only")
    (text,) = tell_of_stranded([stranded], pods)
    assert text == (
        "node one has 10.0.0.0/24 of pool default, which has 10.9.0.0/16 only: it keeps it, with "
        "the addresses of shop/web"
    )
    (text,) = tell_of_stranded([stranded], pods[1:])
    assert text.endswith("it keeps it, though no pod is there")


def test_of_many_pods_some_are_named():
    """And the rest counted."""
    pods = [endpoint(f"p{n:03}", f"10.0.0.{n}") for n in range(1, 31)]
    (text,) = tell_of_stranded([StrandedNetwork("one", NETWORK, "has none")], pods)
    assert text.endswith("shop/p020 and 10 more")
