# SPDX-License-Identifier: Apache-2.0
"""Nodes and pods of the test kit: they talk, they are apart from the host, they leave nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from axoneme.testing import KitError, Node, join, scaled
from axoneme.testing._cgroups import sweep
from axoneme.testing.packets import ICMP, UDP, Ethernet, ICMPv6, IPv4, IPv6, dissect
from axoneme.testing.pods import GATEWAY4, GATEWAY6


@pytest.fixture(scope="module")
def shared_node():
    """A node with two pods, for tests that change nothing of them."""
    with Node() as node:
        node.add_pod("client")
        node.add_pod("server")
        yield node


@pytest.fixture
def client(shared_node):
    """The first pod of the shared node."""
    return shared_node.pods[0]


@pytest.fixture
def server(shared_node):
    """The second pod of the shared node."""
    return shared_node.pods[1]


@pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_two_pods_talk(client, server, family, protocol):
    """A pod gets an answer from another one on its node."""
    with server.serve(8080, protocol=protocol, reply=lambda data, _: data.upper()):
        assert client.request(server.addresses[family], 8080, b"hello", protocol=protocol) == (
            b"HELLO"
        )


@pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
def test_a_node_and_its_pods_reach_each_other(shared_node, client, family):
    """The node is a host for its pods, and they for it."""
    with client.serve() as there, shared_node.serve() as here:
        assert shared_node.reaches(client.addresses[family], there.port)
        assert client.reaches(shared_node.addresses[family], here.port)


def test_a_server_sees_the_pod_as_the_source(client, server):
    """Nothing on the way changes addresses, nor the port that was asked for."""
    with server.serve(reply=lambda _, peer: f"{peer[0]} {peer[1]}".encode()) as there:
        answer = client.request(server.ipv6, there.port, source_port=4242)
    assert answer == f"{client.ipv6} 4242".encode()


def test_nobody_answers_at_a_port_without_server(client, server):
    """A request to nobody is refused at once, and told apart from one that is lost."""
    assert not client.reaches(server.ipv4, 81)
    with pytest.raises(ConnectionRefusedError):
        client.request(server.ipv4, 81)


def test_a_request_that_is_lost_times_out(client, server):
    """What nobody answers ends after the time that was given."""
    with server.serve(protocol="udp", reply=lambda _, __: time.sleep(scaled(0.2)) or b"") as slow:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            client.request(server.ipv4, slow.port, protocol="udp", timeout=0.05)
        assert time.monotonic() - begun < scaled(5)


@pytest.mark.parametrize("gateway", [GATEWAY4, GATEWAY6], ids=["ARP", "NDP"])
def test_gateways_are_found_without_permanent_neighbours(shared_node, gateway):
    """The permanent entries save time; the node answers those who ask, too."""
    from axoneme.net import Netlink

    with shared_node.add_pod() as pod, shared_node.serve() as there:
        with pod.call(Netlink) as netlink:
            netlink.delete_neighbour(netlink.link("eth0"), gateway)
        address = shared_node.addresses[gateway.version == 6]
        assert pod.reaches(address, there.port, timeout=5)


def test_joined_nodes_carry_packets_for_each_other():
    """Pods of two nodes reach each other by the link between the nodes, in both families."""
    with Node(number=1) as first, Node(number=2) as second:
        join(first, second)
        near, far = first.add_pod(), second.add_pod()
        with far.serve(80), first.serve(80):
            assert [near.reaches(address, 80) for address in far.addresses] == [True, True]
            assert [second.reaches(address, 80) for address in first.addresses] == [True, True]


def test_nodes_with_one_number_cannot_be_joined():
    """Their addresses would be the same, and which of them is meant a matter of luck."""
    with Node() as first, Node() as second, pytest.raises(ValueError, match="addresses clash"):
        join(first, second)


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("ip", [IPv4, IPv6])
def test_the_kernel_agrees_about_checksums(shared_node, client, ip, right):
    """A datagram of the kit arrives if its checksum is right, and only then."""
    address = client.addresses[ip is IPv6]
    family = socket.AF_INET6 if ip is IPv6 else socket.AF_INET
    source = shared_node.addresses[ip is IPv6]
    with client.socket(family, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("", 5000))
        receiver.settimeout(scaled(2 if right else 0.2))
        udp = UDP(1, 5000) if right else UDP(1, 5000, checksum=0xDEAD)
        frame = Ethernet(client.node_mac, client.mac) / ip(source, address) / udp / b"data"
        _send(shared_node, client.ifname, bytes(frame))
        if right:
            assert receiver.recv(100) == b"data"
        else:
            with pytest.raises(TimeoutError):
                receiver.recv(100)


@pytest.mark.parametrize(("ip", "icmp"), [(IPv4, ICMP), (IPv6, ICMPv6)])
def test_a_reply_of_the_kernel_can_be_dissected(shared_node, client, ip, icmp):
    """What a pod answers to a made packet comes apart into right headers."""
    addresses = shared_node.addresses[ip is IPv6], client.addresses[ip is IPv6]
    ask = Ethernet(client.node_mac, client.mac) / ip(*addresses) / icmp.echo(7) / b"data"
    answer = dissect(_send(shared_node, client.ifname, bytes(ask), answer=icmp.ECHO[1]))
    assert answer[icmp] == icmp.echo(7, reply=True)
    assert (answer[ip].src, answer[ip].dst) == addresses[::-1]


def _send(node, device, frame, answer=None):
    """Send a frame to a pod, and return the ICMP message of a type that comes back."""
    every = 3  # ETH_P_ALL
    with node.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(every)) as raw:
        raw.bind((device, every))
        raw.settimeout(scaled(2))
        raw.send(frame)
        while answer is not None:
            packet = dissect(raw.recv(2000))
            if ICMP in packet and packet[ICMP].type == answer:
                return bytes(packet)
    return b""


def test_a_node_has_a_bpffs_of_its_own(shared_node):
    """What is pinned in a node is neither on the host nor on another node."""
    with Node() as other:
        shared_node.call(os.mkdir, shared_node.bpffs / "mine")
        assert shared_node.call((shared_node.bpffs / "mine").exists)
        assert not other.call((other.bpffs / "mine").exists)
        assert not (shared_node.bpffs / "mine").exists()
        shared_node.call(os.rmdir, shared_node.bpffs / "mine")


def test_a_process_is_in_the_cgroup_and_namespaces_of_its_pod(client):
    """A started process is the pod's from its first instruction."""
    out = client.run(["sh", "-c", "cat /proc/self/cgroup; readlink /proc/self/ns/net"])
    assert f"{client.node.cgroup.name}/client\n" in out
    assert out.splitlines()[-1] == f"net:[{os.fstat(client.network).st_ino}]"


def test_a_socket_is_in_the_cgroup_of_the_pod_that_made_it(client):
    """Programs at the pod's cgroup see sockets of the test process, whichever thread uses them."""
    with client.socket() as listener:
        listener.bind(("", 0))
        listener.listen()
        shown = client.run(["ss", "--tcp", "--listening", "--numeric", "--cgroup", "--no-header"])
    assert f"{client.node.cgroup.name}/client" in shown


def test_a_node_reaches_its_processes_of_a_pod(shared_node, client):
    """A node starts processes in its pods as well."""
    process = shared_node.popen(["ip", "address"], pod=client, stdout=subprocess.PIPE, text=True)
    assert str(client.ipv4) in process.communicate(timeout=scaled(10))[0]


def test_a_process_can_be_bound_to_a_cpu(client):
    """Only the process is bound, not the pod's thread that started it."""
    cpu = max(os.sched_getaffinity(0))
    process = client.popen(["sleep", "100"], cpu=cpu)
    assert os.sched_getaffinity(process.pid) == {cpu}
    assert client.call(os.sched_getaffinity, 0) == os.sched_getaffinity(0)


def test_a_program_that_is_missing_is_named(client):
    """The error is the program's absence, and not that of something around it."""
    with pytest.raises(FileNotFoundError, match="no such program on PATH; install it: 'nonesuch'"):
        client.popen(["nonesuch"])


def test_a_command_that_fails_says_why(client):
    """The command's own words are in the error."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        client.run(["ls", "/nonesuch"])
    assert "/nonesuch" in caught.value.__notes__[0]


def test_an_exception_comes_out_of_a_call(client):
    """What a function raises in the pod's thread is raised where it was called."""
    with pytest.raises(ZeroDivisionError):
        client.call(lambda: 1 / 0)


def test_a_call_inside_a_call_runs_directly(client):
    """A function that runs in a pod may use the pod's methods."""
    assert client.call(lambda: client.call(threading.get_native_id)) == client.tid


def test_an_endpoint_describes_both_sides_of_the_link(shared_node, client):
    """What the hooks get is what the kernel has."""
    endpoint = client.endpoint(identity=77)
    link = shared_node.netlink.link(endpoint.ifindex)
    assert (link.name, link.mac, endpoint.identity) == (endpoint.ifname, endpoint.node_mac, 77)
    assert client.call(Path("/proc/thread-self/net/arp").read_text).count(link.mac.hex(":")) == 1
    assert endpoint.addresses == client.addresses


def test_a_closed_node_leaves_nothing():
    """Processes, threads, cgroups and file descriptors are as they were."""
    before = _open_files(), threading.active_count()
    node = Node()
    pod = node.add_pod()
    pod.serve()
    processes = [node.popen(["sleep", "1000"]), pod.popen(["sleep", "1000"])]
    pod.run(["sh", "-c", "trap '' TERM; sleep 1000 >/dev/null 2>&1 &"])
    node.close()
    node.close()
    assert (_open_files(), threading.active_count()) == before
    assert not node.cgroup.exists()
    assert [process.poll() for process in processes] == [-signal.SIGTERM] * 2


def test_a_closed_pod_takes_its_link_with_it(shared_node):
    """The node has the device no more when close returns."""
    with shared_node.add_pod() as pod:
        assert shared_node.netlink.find_link(pod.ifname)
    assert shared_node.netlink.find_link(pod.ifname) is None
    assert pod not in shared_node.pods


def test_closing_goes_on_after_an_error():
    """An error while closing is raised when everything else has been closed."""
    node = Node()
    pod = node.add_pod()
    asked = threading.Event()
    pod.serve(80, reply=lambda _, __: asked.set() or 1 // 0)
    assert not node.reaches(pod.ipv4, 80, timeout=1)
    assert asked.wait(scaled(5))
    with pytest.raises(ZeroDivisionError):
        node.close()
    assert not node.cgroup.exists()


def test_a_closed_node_says_so(shared_node):
    """Use after closing is an error that names the node."""
    with shared_node.add_pod("gone") as pod:
        pass
    with pytest.raises(KitError, match="gone is closed"):
        pod.call(os.getpid)


def test_a_killed_test_process_leaves_nothing():
    """Its processes end with it, and the next run removes its cgroup with what is left there."""
    script = """if True:
        import os, signal, subprocess
        from axoneme.testing import Node
        pod = Node().add_pod()
        child = pod.popen(["sleep", "1000"])
        orphan = pod.run(["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"])
        print(child.pid, int(orphan), pod.node.cgroup, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=False)
    child, orphan, cgroup = done.stdout.decode().split()
    assert done.returncode == -signal.SIGKILL
    _until(lambda: _ended(int(child)))
    sweep()
    assert not Path(cgroup).exists()
    _until(lambda: _ended(int(orphan)))


def test_sweeping_spares_the_living(shared_node, client):
    """Only cgroups whose process is gone are removed: tests of others run beside ours."""
    process = client.popen(["sleep", "1000"])
    sweep()
    assert client.cgroup.exists()
    assert process.poll() is None


def test_a_name_is_there_for_people_as_long_as_the_node():
    """`ip netns` finds a node by its name, and not after it is closed."""
    with Node("axoneme-test", number=3) as node:
        path = Path("/run/netns/axoneme-test")
        assert path.stat().st_ino == os.fstat(node.network).st_ino
    assert not path.exists()


def test_a_name_that_is_taken_is_refused():
    """The error says how to get rid of what a killed process left, and nothing is half made."""
    path = Path("/run/netns/axoneme-taken")
    path.parent.mkdir(exist_ok=True)
    path.touch()
    try:
        with pytest.raises(KitError, match="`ip netns delete axoneme-taken` removes it"):
            Node("axoneme-taken")
        assert path.exists()
    finally:
        path.unlink()


def test_times_are_scaled(monkeypatch):
    """An emulated machine gets more time by one variable."""
    monkeypatch.setenv("AXONEME_TIME_SCALE", "20")
    assert scaled(0.5) == 10


def _open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def _ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _until(condition):
    deadline = time.monotonic() + scaled(5)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
