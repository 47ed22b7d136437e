# SPDX-License-Identifier: Apache-2.0
"""Devices, addresses, routes, neighbours and filters, in a node of the test kit."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import struct
import subprocess
import sys
from ipaddress import IPv6Interface, ip_address, ip_interface
from pathlib import Path

import pytest

from axoneme.net import Neighbour, Netlink, NetworkError, read_sysctl, write_sysctl
from axoneme.net.namespaces import entered
from axoneme.testing import Node


@pytest.fixture(scope="module")
def node():
    """A node of this module."""
    with Node() as made:
        yield made


@pytest.fixture
def pair(node):
    """Both ends of a veth in the node, the first one up."""
    first = node.netlink.add_veth("first", "second", mac=b"\x02\0\0\0\0\x01", mtu=1400)
    node.netlink.change_link(first, up=True)
    yield node.netlink.link("first"), node.netlink.link("second")
    node.netlink.delete_link(first)


def test_a_device_is_found_by_name_and_by_index(node, pair):
    """Both ways lead to the same facts."""
    first, second = pair
    assert node.netlink.link(first.index) == first
    assert (first.mac, first.kind, first.mtu, first.up) == (b"\x02\0\0\0\0\x01", "veth", 1400, True)
    assert (first.peer, second.peer, second.up) == (second.index, first.index, False)
    assert {"lo", "first", "second"} <= {link.name for link in node.netlink.links()}


def test_what_is_changed_of_a_device_is_seen(node, pair):
    """A change says what it touches, and touches nothing else."""
    _, second = pair
    node.netlink.change_link(second, mtu=1300, mac=b"\x02\0\0\0\0\x09")
    changed = node.netlink.link("second")
    assert (changed.mtu, changed.mac, changed.up) == (1300, b"\x02\0\0\0\0\x09", False)


def test_a_device_that_is_missing_is_a_value_or_a_named_error(node):
    """Whoever can do without it asks with find_link; the others learn its name."""
    assert node.netlink.find_link("nonesuch") is None
    with pytest.raises(NetworkError, match=r"nonesuch: cannot find .* `ip link`") as caught:
        node.netlink.link("nonesuch")
    assert (caught.value.device, caught.value.errno) == ("nonesuch", errno.ENODEV)


def test_a_name_that_is_taken_is_refused_by_name(node, pair):
    """The message says which device, and what to do."""
    with pytest.raises(NetworkError, match=r"first: cannot make it.*EEXIST.*choose another name"):
        node.netlink.add_veth("first", "third")


def test_the_kernels_own_words_are_in_the_error(node, pair):
    """The kernel often knows better than its number what is wrong."""
    with pytest.raises(NetworkError, match="set mtu 1: mtu less than device minimum"):
        node.netlink.change_link(pair[0], mtu=1)


@pytest.mark.parametrize("address", ["10.7.0.1/24", "fd00:7::1/64"])
def test_adding_an_address_twice_is_no_error(node, pair, address):
    """Whoever makes sure of a state need not know what was there."""
    for _ in range(2):
        node.netlink.add_address(pair[0], address)
    assert ip_interface(address) in node.netlink.addresses(pair[0])
    node.netlink.delete_address(pair[0], address)
    assert ip_interface(address) not in node.netlink.addresses(pair[0])


def test_an_ipv6_address_is_usable_at_once(node, pair):
    """No second of duplicate address detection passes before a socket can have it."""
    node.netlink.add_address(pair[0], IPv6Interface("fd00:7::2/64"))
    shown = node.run(["ip", "-6", "address", "show", "dev", "first"])
    assert "fd00:7::2/64 scope global nodad" in shown
    assert "tentative" not in shown


@pytest.mark.parametrize(
    ("destination", "gateway"),
    [("10.8.0.0/16", "10.7.0.9"), ("fd00:8::/64", "fe80::9"), ("10.9.0.1", None)],
)
def test_a_route_is_added_twice_and_deleted(node, pair, destination, gateway):
    """A gateway needs no route of its own: it is taken to be on the device's link."""
    for _ in range(2):
        node.netlink.add_route(destination, pair[0], gateway=gateway)
    family = "-6" if ":" in destination else "-4"
    shown = node.run(["ip", family, "route", "show", "dev", "first"])
    assert shown.count(destination) == 1
    assert gateway is None or f"via {gateway}" in shown
    node.netlink.delete_route(destination, pair[0])
    assert destination not in node.run(["ip", family, "route", "show", "dev", "first"])


def test_a_gateway_of_another_family_is_refused(node, pair):
    """The kernel would take the bytes for something else."""
    with pytest.raises(NetworkError, match="fe80::1 is of another family"):
        node.netlink.add_route("10.8.0.0/16", pair[0], gateway="fe80::1")


def test_a_route_that_is_missing_cannot_be_deleted(node, pair):
    """The error names the route and the device."""
    with pytest.raises(NetworkError, match=r"first: cannot delete the route to 10.8.0.0/16"):
        node.netlink.delete_route("10.8.0.0/16", pair[0])


@pytest.mark.parametrize("address", ["10.7.0.9", "fd00:7::9"])
def test_a_permanent_neighbour_is_listed_until_it_is_deleted(node, pair, address):
    """Nobody is asked for an address whose MAC is given."""
    neighbour = Neighbour(ip_address(address), b"\x02\0\0\0\0\x09", permanent=True)
    node.netlink.add_neighbour(pair[0], neighbour.address, neighbour.mac)
    assert neighbour in node.netlink.neighbours(pair[0])
    node.netlink.delete_neighbour(pair[0], address)
    assert neighbour not in node.netlink.neighbours(pair[0])


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_foreign_filter_is_listed_and_deleted(node, pair, direction):
    """A filter of another tool is known by name, priority, handle and program."""
    node.call(_pin_program, "/sys/fs/bpf/foreign")
    node.run(["tc", "qdisc", "replace", "dev", "first", "clsact"])
    command = f"tc filter add dev first {direction} priority 7 handle 3 protocol ip"
    node.run([*command.split(), "bpf", "da", "object-pinned", "/sys/fs/bpf/foreign"])
    (found,) = node.netlink.filters(pair[0], direction)
    assert (found.direction, found.kind, found.priority, found.handle) == (direction, "bpf", 7, 3)
    assert (found.name, found.protocol, found.direct_action) == ("foreign:[*fsobj]", 0x0800, True)
    assert str(found.program) in node.run(["tc", "filter", "show", "dev", "first", direction])
    node.netlink.delete_filter(pair[0], found)
    assert node.netlink.filters(pair[0], direction) == ()


def test_a_device_without_clsact_has_no_filters(node, pair):
    """That is no error: nobody has put anything there yet."""
    assert node.netlink.filters(pair[0], "ingress") == ()


def test_netlink_works_beside_a_running_event_loop(node):
    """The agent asks from the thread that its event loop runs in."""

    async def ask():
        with Netlink(node.network) as netlink:
            return netlink.link("lo").name

    assert asyncio.run(ask()) == "lo"


def test_a_socket_stays_in_the_namespace_that_it_was_made_for(node):
    """The thread that makes it is where it was before."""
    before = read_sysctl("net/ipv4/ip_forward")
    with Netlink(node.network) as netlink:
        assert netlink.links() == node.netlink.links()
    assert read_sysctl("net/ipv4/ip_forward") == before


def test_settings_are_those_of_the_threads_namespace(node):
    """A node's setting is the node's alone."""
    node.call(write_sysctl, "net/ipv4/ip_default_ttl", 33)
    with entered(node.network):
        assert read_sysctl("net/ipv4/ip_default_ttl") == "33"
    with Node() as other:
        assert other.call(read_sysctl, "net/ipv4/ip_default_ttl") != "33"


def test_a_setting_that_is_missing_is_named(node):
    """The message says which, and where to look."""
    with pytest.raises(NetworkError, match=r"cannot set sysctl net/ipv4/nonesuch = 1.*sysctl -a"):
        node.call(write_sysctl, "net/ipv4/nonesuch", 1)


def test_only_the_messages_of_pyroute2_are_imported():
    """The rest of it costs the agent's start more than everything else; it stays reachable."""
    script = """if True:
        import sys
        import axoneme.net
        assert not {"asyncio", "pyroute2.ndb", "pyroute2.iproute"} & set(sys.modules)
        import pyroute2
        assert pyroute2.NDB.__module__ == "pyroute2.ndb.main"
    """
    subprocess.run([sys.executable, "-c", script], check=True)


def test_entering_a_namespace_ends_when_an_error_is_raised(node):
    """A thread comes home whatever happens."""
    with pytest.raises(ZeroDivisionError), entered(node.network):
        raise ZeroDivisionError
    with Netlink() as netlink:
        assert netlink.find_link("axn1") is None


def _pin_program(path):
    """Load and pin a program that passes everything: what another tool would have done."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(struct.pack("<QQ", 0xB7, 0x95), 16)  # r0 = 0; exit
    gpl, name = ctypes.create_string_buffer(b"GPL"), ctypes.create_string_buffer(path.encode())

    def bpf(command, attributes):
        buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
        result = libc.syscall(321, command, buffer, 128)
        assert result >= 0, ctypes.get_errno()
        return result

    addresses = ctypes.addressof(code), ctypes.addressof(gpl)
    program = bpf(5, struct.pack("<IIQQ", 3, 2, *addresses))
    if not Path(path).exists():
        bpf(6, struct.pack("<QI", ctypes.addressof(name), program))
    os.close(program)
