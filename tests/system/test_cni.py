# SPDX-License-Identifier: Apache-2.0
"""The CNI as a runtime meets it: the executable, its answers, and the pods that it makes."""

from __future__ import annotations

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve
from tests.system.runtimes import CniNode

from axoneme.model import Endpoint, pack_address
from axoneme.net import Netlink
from axoneme.testing import scaled

VERSIONS = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]


@pytest.fixture
def cni(node, tmp_path):
    """A node that answers."""
    with CniNode(node, tmp_path) as made:
        yield made


def nothing_is_left(cni, *containers):
    """Neither devices nor endpoints, addresses, notes, rows, links of programs."""
    pins = cni.node.call(lambda: list((cni.node.bpffs / "axoneme/links").iterdir()))
    assert not any("axn" in pin.name for pin in pins)
    assert cni.links() == set()
    assert [one.links() for one in containers] == [set()] * len(containers)
    assert cni.store.endpoints == {}
    assert cni.pool.owners == {}
    assert list((cni.directory / "attachments").iterdir()) == []
    assert cni.pipeline.datapath.endpoints == {}
    assert cni.node.call(cni.pipeline.datapath.reconcile_endpoints) == 0


# ADD and DEL


@pytest.mark.parametrize("version", VERSIONS)
def test_two_pods_talk_over_both_families(cni, version):
    """ADD returns a result of the version that was asked for, and packets pass."""
    one, two = cni.container(), cni.container()
    cni.add(one, version=version)
    answer = cni.add(two, version=version)
    host, pod = answer.document["interfaces"]
    assert answer.document["cniVersion"] == version
    assert host["name"] in cni.links()
    assert (pod["name"], pod["sandbox"]) == ("eth0", two.netns)
    with two.echo():
        for address in answer.addresses:
            assert one.pings(address)


def test_a_pod_and_its_node_talk(cni, node):
    """Kubelet's probes come from the node's own address."""
    pod = cni.container()
    answer = cni.add(pod)
    peers = []

    def remember(data, peer):
        peers.append(peer[0].removeprefix("::ffff:"))
        return data

    with pod.echo(remember):
        for address, own in zip(answer.addresses, node.addresses, strict=True):
            family = socket.AF_INET6 if own.version == 6 else socket.AF_INET
            with node.socket(family, socket.SOCK_DGRAM) as source:
                source.settimeout(scaled(2))
                source.sendto(b"probe", (str(address), 9000))
                assert source.recv(64) == b"probe"
            assert peers[-1] == str(own)
    with node.serve(9000, protocol="udp"):
        assert all(pod.pings(own) for own in node.addresses)


def test_a_pod_that_leaves_takes_everything_with_it(cni):
    """Device, endpoint, addresses and the note of it are gone; a second DEL is no error."""
    one = cni.container()
    cni.add(one)
    for _ in range(2):
        assert cni.run("DEL", one).code == 0
        nothing_is_left(cni, one)


def test_a_pod_whose_namespace_is_gone_already_can_leave(cni):
    """Runtimes say DEL late, and then without CNI_NETNS."""
    one = cni.container()
    cni.add(one)
    one.close()
    cni.containers.remove(one)
    assert cni.run("DEL", one, CNI_NETNS="").code == 0
    nothing_is_left(cni)


def test_an_add_that_is_repeated_says_the_same(cni):
    """And changes nothing: the same devices, a connection that goes on."""
    one, two = cni.container(), cni.container()
    first, address = cni.add(one), cni.add(two).addresses[0]
    indices = {link.name: link.index for link in cni.netlink.links()}
    with two.echo(), one.connected(address) as connection:
        again = cni.add(one)
        assert again.document == first.document
        assert {link.name: link.index for link in cni.netlink.links()} == indices
        connection.send(b"still")
        assert connection.recv(64) == b"still"


def test_an_add_that_is_repeated_makes_whole_what_is_not(cni):
    """A pod that lost its address has one again."""
    one = cni.container()
    cni.add(one)
    one.call(lose_addresses)
    assert cni.run("CHECK", one).document["code"] == 104
    cni.add(one)
    assert cni.run("CHECK", one).code == 0


def lose_addresses():
    """Take a pod's addresses from it, from inside."""
    with Netlink() as netlink:
        link = netlink.link("eth0")
        for interface in netlink.addresses(link):
            netlink.delete_address(link, interface)


def test_a_pod_has_what_its_labels_and_names_say(cni):
    """The endpoint is called as the pod is; equal labels are one identity."""
    words = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-{}"
    labels = {"args": {"cni": {"labels": [{"key": "app", "value": "web"}]}}}
    for number in (0, 1):
        cni.add(cni.container(), args=words.format(number), config=labels)
    cni.add(cni.container(), args=words.format(2))
    names = {str(e): e.identity for e in cni.pipeline.datapath.endpoints.values()}
    assert set(names) == {"shop/web-0", "shop/web-1", "shop/web-2"}
    assert names["shop/web-0"] == names["shop/web-1"] != names["shop/web-2"]
    assert set(cni.store.endpoints) == {("shop", f"web-{number}") for number in range(3)}


def test_a_pods_new_container_takes_the_place_of_the_old_one(cni):
    """A name stands for one pod; the late DEL of the old container does not touch the new one."""
    old, new = cni.container(), cni.container()
    words = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"
    cni.add(old, args=words)
    cni.add(new, args=words)
    assert old.links() == set()
    assert cni.run("DEL", old, args=words).code == 0
    assert new.links() == {"eth0"}
    assert list(cni.store.endpoints) == [("shop", "web-0")]


def test_a_second_device_of_a_container_is_an_endpoint_of_its_own(cni):
    """And leaves alone."""
    one = cni.container()
    first = cni.add(one)
    second = cni.add(one, ifname="net1")
    assert one.links() == {"eth0", "net1"}
    assert not set(first.addresses) & set(second.addresses)
    assert cni.run("DEL", one, ifname="net1").code == 0
    assert one.links() == {"eth0"}
    assert len(cni.pipeline.datapath.endpoints) == 1


def test_pods_that_come_and_go_at_once_do_not_disturb_each_other(cni):
    """Runtimes start pods in parallel."""
    containers = [cni.container() for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(cni.add, containers))
        assert len({answer.addresses for answer in answers}) == 12
        with containers[-1].echo():
            assert all(one.pings(answers[-1].addresses[0]) for one in containers[:-1])
        jobs = [pool.submit(cni.run, "DEL", one) for one in containers for _ in range(2)]
        assert [job.result().code for job in jobs] == [0] * 24
    nothing_is_left(cni, *containers)


# The gateway


def flush():
    """Forget all neighbours, from inside the pod; how many there were."""
    with Netlink() as netlink:
        link = netlink.link("eth0")
        known = netlink.neighbours(link)
        for neighbour in known:
            netlink.delete_neighbour(link, neighbour.address)
        return known


def test_the_node_answers_for_the_gateway(cni):
    """A pod that has forgotten its neighbours finds the gateway by ARP and neighbour discovery."""
    one, two = cni.container(), cni.container()
    cni.add(one)
    answer = cni.add(two)
    node_mac = cni.add(one).document["interfaces"][0]["mac"]
    with two.echo():
        for _ in range(2):
            one.call(flush)
            for address in answer.addresses:
                assert one.pings(address)
            known = {str(n.address): n for n in one.call(flush)}
            for gateway in ("169.254.1.1", "fe80::1"):
                assert known[gateway].mac.hex(":") == node_mac
                assert not known[gateway].permanent


def test_packets_out_of_a_pod_keep_to_the_budget(cni):
    """The devices have the uplink's MTU, the routes what is left of it, and a datagram fits."""
    one = cni.container()
    document = cni.add(one).document
    assert {route["mtu"] for route in document["routes"]} == {1450}
    assert {interface["mtu"] for interface in document["interfaces"]} == {1500}

    def routes():
        with Netlink() as netlink:
            return {str(r.destination): r.mtu for r in netlink.routes(netlink.link("eth0"))}

    found = one.call(routes)
    assert (found["0.0.0.0/0"], found["::/0"]) == (1450, 1450)


# What goes wrong


class Broken:
    """A datapath that finds faults in everything."""

    def __init__(self, whole):
        self.whole = whole

    def __getattr__(self, name):
        return getattr(self.whole, name)

    def faults(self, endpoint: Endpoint):
        """Always one."""
        return [f"a probe from {endpoint} is dropped"]

    def problem(self):
        """Always the same."""
        return "it is broken"


def test_a_probe_with_another_verdict_undoes_everything(cni):
    """The error says what was wrong."""
    cni.network.datapath = Broken(cni.network.datapath)
    one = cni.container()
    answer = cni.run("ADD", one)
    assert (answer.code, answer.document["code"]) == (1, 103)
    assert "is dropped" in answer.document["msg"]
    nothing_is_left(cni, one)


def test_the_probes_find_a_pod_that_is_not_admitted(cni):
    """The real probes: an endpoint whose addresses are not in the map is dropped by admit."""
    one = cni.container()
    cni.add(one)
    (endpoint,) = cni.pipeline.datapath.endpoints.values()
    keys = [pack_address(address) for address in endpoint.addresses]
    cni.node.call(cni.pipeline.datapath.table("endpoints").delete, keys)
    answer = cni.run("CHECK", one)
    assert answer.document["code"] == 104
    assert "dropped in from_pod by stage admit" in answer.document["msg"]


def test_a_pool_that_has_run_dry_is_named(cni):
    """And nothing of the pod is made; STATUS says it too."""
    cni.pool.size = 1
    one, two = cni.container(), cni.container()
    cni.add(one)
    answer = cni.run("ADD", two)
    assert answer.document["code"] == 100
    assert "1 addresses are all in use" in answer.document["msg"]
    assert two.links() == set()
    assert cni.run("STATUS").document["code"] == 50
    cni.run("DEL", one)
    nothing_is_left(cni, one, two)
    cni.add(two)


@pytest.mark.parametrize(
    ("netns", "words"),
    [
        ("/run/netns/nonesuch", "No such file"),
        ("/dev/null", "/dev/null is no network"),
        ("/proc/self/ns/mnt", "ns/mnt is no network"),
        ("{node}", "the node's own network namespace"),
    ],
)
def test_what_is_no_pods_network_namespace_is_named(cni, node, netns, words):
    """Above all the node's own: it would cut itself off."""
    path = netns.format(node=f"/proc/self/task/{node.tid}/ns/net")
    one = cni.container()
    answer = cni.run("ADD", one, CNI_NETNS=path)
    assert answer.document["code"] == 101
    assert words in answer.document["msg"]
    nothing_is_left(cni, one)


def test_a_namespace_that_is_a_pipe_does_not_stop_the_agent(cni, tmp_path):
    """To open it would wait for a writer."""
    os.mkfifo(tmp_path / "pipe")
    answer = cni.run("ADD", cni.container(), CNI_NETNS=str(tmp_path / "pipe"))
    assert answer.document["code"] == 101
    assert cni.run("STATUS").code == 0


def test_a_device_that_is_there_already_is_not_touched(cni):
    """Another plugin's: the pod keeps it, and the error names it."""
    one = cni.container()

    def other():
        with Netlink() as netlink:
            netlink.add_veth("eth0", "other")

    one.call(other)
    answer = cni.run("ADD", one)
    assert answer.document["code"] == 101
    assert "eth0" in answer.document["msg"]
    assert one.links() == {"eth0", "other"}
    assert cni.pool.owners == {}


def test_bad_requests_are_refused_and_good_ones_go_on(cni):
    """Bad JSON, an unknown command, a missing namespace, another version."""
    one = cni.container()
    assert cni.run("ADD", one, config="{").document["code"] == 6
    assert cni.run("ADD", one, config="[]").document["code"] == 6
    assert cni.run("AD", one).document["code"] == 4
    assert cni.run("ADD", one, CNI_NETNS="").document["code"] == 4
    assert cni.run("ADD", one, CNI_CONTAINERID="").document["code"] == 4
    assert cni.run("ADD", one, version="2.0.0").document["code"] == 1
    cni.add(one)


# CHECK, STATUS, GC


def test_check_finds_what_has_changed(cni):
    """Addresses, routes, devices and results of the runtime's that say otherwise."""
    one = cni.container()
    result = cni.add(one).document
    assert cni.run("CHECK", one, config={"prevResult": result}).code == 0
    other = json.loads(json.dumps(result).replace(result["ips"][0]["address"], "10.99.0.1/32"))
    answer = cni.run("CHECK", one, config={"prevResult": other})
    assert answer.document["code"] == 104
    assert (
        f"prevResult has not the address {result['ips'][0]['address'][:-3]}"
        in (answer.document["msg"])
    )
    link = cni.netlink.link(result["interfaces"][0]["name"])
    cni.netlink.delete_route(result["ips"][0]["address"], link)
    assert "the node has no route to" in cni.run("CHECK", one).document["msg"]
    cni.netlink.delete_link(link)
    assert "no device" in cni.run("CHECK", one).document["msg"]
    assert cni.run("CHECK", cni.container()).document["code"] == 3


def test_a_pod_s_link_that_somebody_took_down_is_up_again(cni, node):
    """With its routes; what is as it was is left alone, and so is a link that is gone."""
    one, two = cni.container(), cni.container()
    document, other = cni.add(one), cni.add(two)
    link = cni.netlink.link(document.document["interfaces"][0]["name"])
    assert node.call(cni.network.repair) == []
    cni.netlink.change_link(link, up=False)
    found = node.call(cni.network.repair)
    assert found[0] == f"device {link.name}: it was down"
    assert {f"route to {a} by {link.name}: it was missing" for a in document.addresses} < set(found)
    assert node.call(cni.network.repair) == []
    with two.echo():
        assert all(one.pings(address) for address in other.addresses)
    cni.netlink.delete_link(link)
    assert node.call(cni.network.repair) == []


def test_status_says_whether_a_pod_can_be_made(cni):
    """Nothing when it can; why, when it cannot."""
    assert cni.run("STATUS").code == 0
    cni.network.datapath = Broken(cni.network.datapath)
    answer = cni.run("STATUS")
    assert (answer.code, answer.document["code"]) == (1, 50)
    assert answer.document["msg"] == "it is broken"


def test_gc_removes_what_the_runtime_does_not_know(cni):
    """Of its own network only, and nothing if it does not say what is to stay."""
    kept, lost, others = (cni.container() for _ in range(3))
    cni.add(kept)
    cni.add(lost)
    cni.add(others, config={"name": "another"})
    assert cni.run("GC").document["code"] == 7
    valid = [{"containerID": kept.id, "ifname": "eth0"}]
    assert cni.run("GC", config={"cni.dev/valid-attachments": valid}).code == 0
    assert [one.links() for one in (kept, lost, others)] == [{"eth0"}, set(), {"eth0"}]
    assert len(cni.pipeline.datapath.endpoints) == 2


# Agents that come and go


def test_a_del_while_no_agent_runs_is_done_by_the_next(cni):
    """The runtime is told that it succeeded."""
    one, two = cni.container(), cni.container()
    cni.add(one)
    cni.add(two)
    cni.stop()
    assert cni.run("DEL", one).code == 0
    assert cni.run("ADD", cni.container()).document["code"] == 11
    assert len(cni.links()) == 2
    cni.start()
    assert len(cni.links()) == 1
    assert one.links() == set()
    assert list((cni.run_dir / "cni-queue").iterdir()) == []
    assert len(cni.pipeline.datapath.endpoints) == 1


def test_pods_stay_when_the_agent_is_another(cni):
    """CHECK, ADD and DEL of a pod that an earlier agent made."""
    one = cni.container()
    first = cni.add(one)
    cni.stop()
    cni.start()
    assert cni.recovered == []
    assert cni.run("CHECK", one).code == 0
    assert cni.add(one).document == first.document
    assert cni.run("DEL", one).code == 0
    nothing_is_left(cni, one)


def test_half_an_add_is_undone_by_the_next_agent(cni):
    """An agent that was killed in the middle has written down what it had begun."""
    one = cni.container()
    cni.add(one)
    cni.stop()
    (made,) = cni.network.attachments.all()
    cni.network.attachments.put(evolve(made, complete=False))
    cni.start()
    assert "had not come to its end" in cni.recovered[0]
    nothing_is_left(cni, one)
    cni.add(one)


def test_a_pod_that_vanished_while_no_agent_ran_is_forgotten(cni):
    """After a reboot nobody says DEL for what was there before."""
    one = cni.container()
    cni.add(one)
    cni.stop()
    cni.netlink.delete_link(cni.netlink.link(next(iter(cni.links()))))
    cni.start()
    assert "its link is gone" in cni.recovered[0]
    nothing_is_left(cni, one)
