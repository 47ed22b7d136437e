# SPDX-License-Identifier: Apache-2.0
"""What becomes of addresses when agents and nodes end, settings change and pools run dry."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from attrs import evolve
from tests.system.members import Members
from tests.system.test_cni_agent import restart_node

#: Two addresses that can be given.
TWO = [ip_network("10.70.1.0/30")]
WIDE = [ip_network("10.70.1.0/24"), ip_network("fd00:70::/64")]
KUBERNETES = 'mode = "kubernetes"\n'


@pytest.fixture
def cluster(tmp_path):
    """A node whose addresses are written by the test, not started."""
    with Members(tmp_path, KUBERNETES, 'address-quarantine = "1h"\n', count=1) as made:
        yield made


@pytest.fixture
def one(cluster):
    """Its only node."""
    return cluster.members[0]


def settle(cluster, one, keys, ipam=KUBERNETES, **options):
    """Give the node other settings, which it accepts."""
    cluster.keys = keys
    cluster.configure(ipam, **options)
    assert "swapped" in one.command("reload")


# Agents and nodes that end


def test_a_pod_has_its_address_again_after_its_agent_and_its_node(cluster, one):
    """Nobody else gets it meanwhile, though there is nothing else left."""
    one.agent.write_node(one.name, TWO)
    cluster.start()
    web = one.come("shop/web")
    one.agent.kill()
    one.agent.start()
    assert one.come("shop/web") == web
    restart_node(one.agent, one.node)
    one.pods.clear()
    one.agent.start()
    other = one.come("shop/other")
    assert other != web
    assert "no IPv4 address is free: 2 in use" in one.refused("shop/third")
    assert one.come("shop/web") == web
    one.agent.wait_for(lambda: {row["pod"] for row in one.rows().values()}, "the list")
    assert {a: row["pod"] for a, row in one.rows().items()} == {
        str(web[0]): "shop/web",
        str(other[0]): "shop/other",
    }


def test_an_address_rests_across_a_restart_of_the_agent(cluster, one):
    """For others; with a shorter quarantine it is free at once."""
    one.agent.write_node(one.name, TWO)
    cluster.start()
    for name in ("a", "b"):
        one.come(name)
    one.go("a", "b")
    one.agent.kill()
    one.agent.start()
    assert "2 rest" in one.refused("c")
    assert "rest" in one.run("STATUS").document["msg"]
    settle(cluster, one, 'address-quarantine = "0s"\n')
    one.come("c")


def test_a_leak_is_found_named_and_healed(cluster, one):
    """A pod whose DEL never comes, and of which no attachment speaks."""
    one.agent.write_node(one.name, TWO)
    cluster.start()
    (lost,), (kept,) = one.come("shop/lost"), one.come("kept")
    container = one.pods.pop("shop/lost")
    (attachment,) = (one.agent.run_dir / "attachments").glob(f"{container.id}*")
    attachment.unlink()
    container.close()
    one.agent.kill()
    one.agent.start()
    assert "no IPv4 address is free: 2 in use" in one.refused("late")
    settle(cluster, one, 'address-quarantine = "0s"\naddress-expiration = "0s"\n')
    leak = f"address {lost} was held for pod shop/lost, which is gone and whose DEL never came"
    one.agent.wait_for(lambda: leak in one.findings(), "the leak to be named")
    assert one.come("late") == (lost,)
    assert one.rows()[str(kept)]["pod"] == "default/kept"


# Addresses that a runtime asks for


def test_addresses_that_are_asked_for(cluster, one):
    """They are given, or refused with the reason: whose it is, where it is not, how long it rests.

    The pod that had it need not wait.
    """
    one.agent.write_node(one.name, WIDE)
    cluster.start()
    asked = {"args": "IP=10.70.1.77,fd00:70::77"}
    web = one.come("shop/web", **asked)
    assert [*map(str, web)] == ["10.70.1.77", "fd00:70::77"]
    assert "10.70.1.77: shop/web has it" in one.refused("other", **asked)
    outside = one.refused("other", args="IP=10.99.0.1")
    assert "10.99.0.1: is of none of this node's pools: default (10.70.1.0/24" in outside
    assert "10.70.1.255" in one.refused("other", args="IP=10.70.1.255")
    one.go("shop/web")
    resting = one.refused("other", **asked)
    assert "shop/web had it, and it rests until" in resting
    assert one.come("shop/web", **asked) == web
    wrong = one.ask_for("other", args="IP=10.70.1")
    assert wrong.code == 1
    assert "10.70.1" in wrong.document["msg"]
    one.come("other")


# Settings that change under pods


def echoes(one, source, target, address):
    """See that pods go on."""
    with one.pods[target].echo():
        assert one.pods[source].pings(address)


def test_settings_that_would_strand_addresses_are_refused(cluster, one):
    """At a reload and by `config set`, with the pods; what was before goes on working."""
    one.agent.write_node(one.name, WIDE)
    cluster.start()
    web, _ = one.come("shop/web"), one.come("near")
    cluster.configure('mode = "multi-pool"\n')
    text = one.command("reload", code=1)
    assert "the old datapath stays" in text
    assert f"shop/web ({web[0]}, {web[1]})" in text
    assert "default/near" in text
    assert "shop/web" in one.findings()
    one.come("more")
    echoes(one, "near", "shop/web", web[0])

    settle(cluster, one, cluster.keys)
    text = one.command("config", "set", "ipam.mode", "crd", code=1)
    assert "shop/web" in text
    assert 'mode = "kubernetes"' in one.agent.config.read_text()
    one.agent.wait_for(lambda: "configuration:" not in one.findings(), "what is there to be read")
    cluster.configure("", plugins=())
    assert "shop/web" in one.command("reload", code=1)
    assert one.run("STATUS").code == 0
    settle(cluster, one, cluster.keys)
    one.go("shop/web", "near", "more")
    settle(cluster, one, cluster.keys, 'mode = "crd"\n')
    assert "no IPv4 network" in one.refused("late")


def test_settings_that_changed_while_no_agent_ran(cluster, one):
    """Pods go on, and no other comes until they are gone: STATUS and ADD say which they are."""
    one.agent.write_node(one.name, WIDE)
    cluster.start()
    web, near = one.come("shop/web"), one.come("near")
    one.agent.end()
    cluster.configure('mode = "crd"\n')
    pool = dict.fromkeys(ip_network("10.80.0.0/30").hosts(), "eni-1")
    cluster.nodes.update(one.name, lambda r: evolve(r, ipam=evolve(r.ipam, pool=pool)))
    one.agent.start()
    for text in (one.refused("late"), one.run("STATUS").document["msg"], one.findings()):
        assert f"shop/web ({web[0]}, {web[1]})" in text
        assert "put the settings of IPAM back, or remove these pods" in text
    echoes(one, "near", "shop/web", web[0])
    echoes(one, "shop/web", "near", near[1])
    assert set(web) <= {a for n in one.record.networks for a in (*web, *near) if a in n}
    assert one.come("shop/web") == web
    one.go("shop/web", "near")
    assert one.come("late") == (ip_address("10.80.0.1"),)
    assert one.findings() == ""


def test_two_plugins_for_addresses(cluster, one):
    """No pod gets an address, both are named, and the pods that are there go on."""
    one.agent.write_node(one.name, WIDE)
    cluster.start()
    web, _ = one.come("shop/web"), one.come("near")
    cluster.configure(KUBERNETES, plugins=("ipam", "fileipam"))
    said = "the plugins fileipam and ipam all give addresses: take all but one out"
    one.command("reload")
    for text in (one.refused("late"), one.run("STATUS").document["msg"], one.findings()):
        assert said in text
    echoes(one, "near", "shop/web", web[0])
    assert one.come("shop/web") == web
    one.go("near")
    settle(cluster, one, cluster.keys)
    one.come("late")
