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


# Pools that run dry, and bad input


def test_a_pool_that_100_pods_want_at_once(tmp_path):
    """As many get one as there are, nobody one of another, and the rest hear why; they go on."""
    with Members(tmp_path, KUBERNETES, count=1) as cluster:
        (one,) = cluster.members
        one.agent.write_node(one.name, [ip_network("10.70.1.0/27")])
        cluster.start()
        names = [f"pod{number}" for number in range(100)]
        answers = one.ask_for_all(names)
        given = {name: answer.addresses for name, answer in answers.items() if answer.code == 0}
        assert {str(a) for (a,) in given.values()} == {f"10.70.1.{n}" for n in range(1, 31)}
        assert len(given) == 30
        for answer in answers.values():
            if answer.code:
                assert answer.document["code"] == 100
                assert "no IPv4 address is free: 30 in use" in answer.document["msg"]
        assert "pool default: 30 of 30 IPv4 addresses are in use" in one.findings()
        first, second = list(given)[:2]
        echoes(one, first, second, given[second][0])
        assert {row["pod"] for row in one.rows().values()} == {f"default/{name}" for name in given}
        one.go(first)
        settle(cluster, one, 'address-quarantine = "0s"\n')
        late = next(name for name in names if name not in given)
        assert one.come(late) == given[first]


POOL = """
apiVersion: cilium.io/v2
kind: CiliumPodIPPool
metadata: {{name: {name}}}
spec: {{ipv4: {{cidrs: [{cidr}], maskSize: {mask}}}}}
"""


def test_pools_and_claims_that_are_wrong(tmp_path):
    """They are named by operator and agents; who is of another pool gets addresses."""
    ipam = 'mode = "multi-pool"\npre-allocate = 2\ndefault-pool = "a"\n'
    with Members(tmp_path, ipam) as cluster, cluster.operator as operator:
        for name, cidr, mask in (
            ("a", "10.50.0.0/16", 28),
            ("b", "10.50.128.0/17", 28),
            ("wide", "10.51.0.0/16", 8),
            ("narrow", "10.52.0.0/16", 33),
        ):
            cluster.write(f"{name}.yaml", POOL.format(name=name, cidr=cidr, mask=mask))
        one, two = cluster.start().members
        (far,) = two.come("far")

        def told(*texts):
            said = "\n".join(operator.ask("status")["problems"])
            return all(text in said for text in texts)

        overlap = ("pools a and b overlap, in 10.50.0.0/16 and 10.50.128.0/17: b gives nothing",)
        masks = (
            "10.51.0.0/16 is smaller than a node's part of it",
            "must be 1 to 32",
            "narrow.yaml",
        )
        operator.wait_for(lambda: told(*overlap, *masks), "what is wrong to be named")
        assert all(text in one.findings() for text in masks)

        part = two.record.ipam.allocated
        cluster.nodes.update(one.name, lambda r: evolve(r, ipam=evolve(r.ipam, allocated=part)))
        (claim,) = part[0].networks
        both = f"nodes node1 and node2 both have {claim}"
        operator.wait_for(lambda: told(both), "the claim to be named")
        for member in (one, two):
            member.agent.wait_for(lambda m=member: both in m.findings(), "the claim to be named")
        (web,) = one.come("web")
        assert web in claim
        assert web != far
        assert str(far) in one.refused("asks", args=f"IP={far}")
        assert two.come("far") == (far,)
        assert "no IPv4 network" in two.refused("late")
        echoes(two, "far", "far", far)
        one.go("web")
        cluster.nodes.update(one.name, lambda r: evolve(r, ipam=evolve(r.ipam, allocated=())))
        operator.wait_for(lambda: not told(both), "the claim to be gone")
        (late,) = two.come("late")
        assert late in claim
        assert late != far
