# SPDX-License-Identifier: Apache-2.0
"""Settings of a node's kernel: what pods need is turned on, and put back in the end."""

from __future__ import annotations

import pytest

from axoneme.agent.kernel_settings import KernelSettings, restore_settings
from axoneme.net import NetworkError, read_sysctl, write_sysctl
from axoneme.testing import Node, join

FOUR, SIX = "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"
UPLINK = "uplink2"
ACCEPT = f"net/ipv6/conf/{UPLINK}/accept_ra"


@pytest.fixture
def host(node):
    """A node as a host is that forwards nothing, with an uplink that listens to routers."""
    with Node(number=2) as other:
        join(node, other)
        for name in (FOUR, SIX):
            node.call(write_sysctl, name, 0)
        node.call(write_sysctl, ACCEPT, 1)
        yield node


@pytest.fixture
def settings(tmp_path):
    """Those of an agent."""
    return KernelSettings(tmp_path / "run", (UPLINK,))


def values(node):
    """The settings as they are."""
    return [node.call(read_sysctl, name) for name in (FOUR, SIX, ACCEPT)]


def test_forwarding_is_turned_on_for_what_is_in_use(host, settings):
    """And a router's advertisements are heard as before; what was changed is told."""
    assert host.call(settings.keep, host.netlink, {4}) == [
        "setting net.ipv4.ip_forward: it was 0, is 1"
    ]
    assert values(host) == ["1", "0", "1"]
    assert len(host.call(settings.keep, host.netlink, {4, 6})) == 2
    assert values(host) == ["1", "1", "2"]
    assert host.call(settings.keep, host.netlink, {4, 6}) == []


def test_settings_are_what_they_were_when_all_is_removed(host, settings):
    """Also when two agents had turned them on; again there is nothing to do."""
    before = values(host)
    host.call(settings.keep, host.netlink, {4, 6})
    host.call(write_sysctl, FOUR, 0)
    again = KernelSettings(settings.run_dir, settings.uplinks)
    assert len(host.call(again.keep, host.netlink, {4, 6})) == 1
    restored = host.call(restore_settings, settings.run_dir)
    assert "setting net.ipv4.ip_forward, which is 0 again" in restored
    assert values(host) == before
    assert host.call(restore_settings, settings.run_dir) == []


def test_what_others_set_stays(host, settings):
    """Forwarding that was on is not turned off, nor is what somebody has changed since."""
    host.call(write_sysctl, FOUR, 1)
    host.call(settings.keep, host.netlink, {4, 6})
    host.call(write_sysctl, ACCEPT, 0)
    host.call(restore_settings, settings.run_dir)
    assert values(host) == ["1", "0", "0"]


@pytest.mark.parametrize("text", ["", "[1]", '{"net/ipv4/ip_forward": 7}', "{"])
def test_a_garbled_file_changes_nothing(host, settings, text):
    """Nobody knows what was before."""
    settings.run_dir.mkdir()
    (settings.run_dir / "sysctls.json").write_text(text)
    assert host.call(restore_settings, settings.run_dir) == []
    assert values(host) == ["0", "0", "1"]


def test_a_setting_that_cannot_be_written_is_named(host, settings, monkeypatch):
    """With what to do, as on a machine whose /proc/sys is read-only."""

    def refuse(name, value):
        raise NetworkError(f"cannot set sysctl {name} = {value}", errno=30)

    monkeypatch.setattr("axoneme.agent.kernel_settings.write_sysctl", refuse)
    assert host.call(settings.keep, host.netlink, {4}) == []
    (problem,) = settings.problems
    assert "IPv4 packets of pods are not forwarded, set net.ipv4.ip_forward to 1" in problem
    monkeypatch.undo()
    host.call(settings.keep, host.netlink, {4})
    assert settings.problems == ()


def test_an_uplink_without_a_link_local_address_is_named(host, settings):
    """Only where IPv6 is in use, and until it has one."""
    host.call(settings.keep, host.netlink, {4})
    assert settings.problems == ()
    host.call(settings.keep, host.netlink, {4, 6})
    (problem,) = settings.problems
    assert f"uplink {UPLINK} has no IPv6 link-local address" in problem
    host.netlink.add_address(host.netlink.link(UPLINK), "fe80::7/64")
    host.call(settings.keep, host.netlink, {4, 6})
    assert settings.problems == ()
