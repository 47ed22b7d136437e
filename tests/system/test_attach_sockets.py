# SPDX-License-Identifier: Apache-2.0
"""The trunks at the socket: what a process asks for, and what it is shown."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system.rig import Rig

from axoneme.errors import AttachError
from axoneme.testing import Node, plugin_object, scaled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme import PluginObject
    from axoneme.testing import Pod

SOURCE = Path(__file__).parent / "bpf" / "sock.bpf.c"
FAMILIES = {
    "IPv4": (socket.AF_INET, "198.51.100.1", "198.51.100.2", "10.1.0.2"),
    "IPv6": (socket.AF_INET6, "2001:db8::1", "2001:db8::2", "fd00:10:1::2"),
    "mapped": (
        socket.AF_INET6,
        "::ffff:198.51.100.1",
        "::ffff:198.51.100.2",
        "::ffff:10.1.0.2",
    ),
}
BALANCE = {f"{hook}{ip}-cgroup" for hook in ("connect", "sendmsg") for ip in (4, 6)}
RESTORE = {f"{hook}{ip}-cgroup" for hook in ("recvmsg", "getpeername") for ip in (4, 6)}
BIND = {f"bind{ip}-cgroup" for ip in (4, 6)}


def sock() -> PluginObject:
    """A plugin that fills all stages at the socket."""
    return plugin_object(SOURCE.read_text(), "sock")


def only(stage: str) -> PluginObject:
    """A plugin that fills one stage at the socket, and does nothing."""
    return plugin_object(
        f"#include <axoneme/plugin.h>\nAXN_SOCKET_STAGE({stage}) {{ return AXN_NEXT; }}"
    )


@pytest.fixture
def rig(node: Node) -> Iterator[Rig]:
    """A datapath that attaches to its node's cgroup."""
    made = Rig(node, cgroup=node.cgroup)
    yield made
    made.close()


class Pair:
    """A client, and the pod behind the virtual addresses, in one family."""

    def __init__(self, rig: Rig, family: str) -> None:
        self.family, self.service, self.refused, self.pod = FAMILIES[family]
        self.client: Pod = rig.node.add_pod()
        self.server: Pod = rig.node.add_pod()
        for protocol in ("tcp", "udp"):
            self.server.serve(8080, protocol=protocol)
        rig.put(sock=sock())

    def socket(self, kind: socket.SocketKind) -> socket.socket:
        """A socket of the client."""
        made = self.client.socket(self.family, kind)
        made.settimeout(scaled(1))
        return made


@pytest.fixture(params=FAMILIES, scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A client and a server, with the plugin in effect; tests leave it as it is."""
    with Node() as node:
        rig = Rig(node, cgroup=node.cgroup)
        yield Pair(rig, request.param)
        rig.close()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_connect_goes_where_the_stage_says_and_shows_what_was_asked(
    pair: Pair, kind: socket.SocketKind
) -> None:
    """The service answers, and getpeername says its address and port."""
    with pair.socket(kind) as client:
        client.connect((pair.service, 80))
        assert client.getpeername()[:2] == (pair.service, 80)
        client.sendall(b"hello")
        assert client.recv(64) == b"hello"


def test_a_datagram_goes_where_the_stage_says_and_the_answer_shows_what_was_asked(
    pair: Pair,
) -> None:
    """Without a connection: sendmsg and recvmsg."""
    with pair.socket(socket.SOCK_DGRAM) as client:
        client.sendto(b"hello", (pair.service, 80))
        data, peer = client.recvfrom(64)
    assert (data, peer[:2]) == (b"hello", (pair.service, 80))


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_connect_that_a_stage_refuses_is_not_permitted(pair: Pair, kind: socket.SocketKind) -> None:
    """EPERM, whatever the port."""
    with pair.socket(kind) as client, pytest.raises(PermissionError):
        client.connect((pair.refused, 443))


def test_a_datagram_that_a_stage_refuses_is_not_permitted(pair: Pair) -> None:
    """EPERM, and the socket can be used for others."""
    with pair.socket(socket.SOCK_DGRAM) as client:
        with pytest.raises(PermissionError):
            client.sendto(b"hello", (pair.refused, 443))
        client.sendto(b"hello", (pair.service, 80))
        assert client.recv(64) == b"hello"


def test_what_no_stage_means_goes_where_it_was_sent(pair: Pair) -> None:
    """The pod by its own address, another port of the service: as without us."""
    with pair.socket(socket.SOCK_STREAM) as client:
        client.connect((pair.pod, 8080))
        client.sendall(b"hello")
        assert client.recv(64) == b"hello"
    with pair.server.serve(9000), pair.socket(socket.SOCK_STREAM) as client:
        client.connect((pair.pod, 9000))
        assert client.getpeername()[:2] == (pair.pod, 9000)


def test_bind_that_a_stage_refuses_is_not_permitted(pair: Pair) -> None:
    """EPERM."""
    with pair.socket(socket.SOCK_STREAM) as server, pytest.raises(PermissionError):
        server.bind(("", 9999))


def test_bind_takes_the_port_that_a_stage_says(pair: Pair) -> None:
    """The socket has the other port."""
    with pair.socket(socket.SOCK_STREAM) as server:
        server.bind(("", 9998))
        assert server.getsockname()[1] == 9997
        server.listen()


def test_processes_of_other_cgroups_are_not_concerned(pair: Pair) -> None:
    """Another node's pod may send to what is refused here."""
    with Node(number=2) as other:
        stranger = other.add_pod().socket(pair.family, socket.SOCK_DGRAM)
        with stranger:
            stranger.sendto(b"hello", (pair.refused, 443))


@pytest.mark.parametrize(
    ("stage", "links"),
    [("sock_balance", BALANCE), ("sock_restore", RESTORE), ("sock_bind", BIND)],
)
def test_only_trunks_of_filled_stages_are_attached(rig: Rig, stage: str, links: set[str]) -> None:
    """And they go when no plugin fills them any more."""
    rig.put()
    assert rig.links().keys() == set()
    rig.put(only=only(stage))
    assert rig.links().keys() == links
    assert {p for p in rig.datapath.assembly.programs if f"{p}-cgroup" in links} == {
        link.removesuffix("-cgroup") for link in links
    }
    rig.put()
    assert rig.links().keys() == set()


def test_without_a_cgroup_nothing_is_attached(node: Node) -> None:
    """The rest of the datapath works."""
    rig = Rig(node)
    rig.put(sock=sock())
    assert rig.links() == {}
    rig.close()


def test_several_plugins_share_a_stage_and_the_first_that_decides_counts(rig: Rig) -> None:
    """A plugin before ours that lets nothing through is not asked about twice."""
    closed = """
        #include <axoneme/plugin.h>
        AXN_SOCKET_STAGE(sock_balance, AXN_BEFORE(sock)) { return AXN_DROP; }
    """
    client, server = rig.node.add_pod(), rig.node.add_pod()
    server.serve(8080)
    rig.put(sock=sock(), zeal=plugin_object(closed, "zeal"))
    assert rig.datapath.assembly.lanes["sock_balance"] == ("zeal", "sock")
    with pytest.raises(PermissionError):
        client.connect("198.51.100.1", 80)
    rig.put(sock=sock())
    assert client.request("198.51.100.1", 80) == b"ping"


def test_programs_stay_when_the_agent_ends_and_the_next_takes_them_over(rig: Rig) -> None:
    """The links are the old ones, and run the new programs."""
    pair = Pair(rig, "IPv4")
    before = rig.links()
    rig.call(rig.datapath.close)
    assert pair.client.request(pair.service, 80) == b"ping"
    rig.open()
    rig.put(sock=sock())
    after = rig.links()
    assert {n: link.id for n, link in after.items()} == {n: link.id for n, link in before.items()}
    assert all(after[name].program_id != before[name].program_id for name in before)


def test_a_link_that_somebody_detached_is_named_and_repaired(rig: Rig) -> None:
    """Drift names trunk and cgroup; repair attaches again."""
    rig.put(sock=sock())
    rig.force_detach("connect4-cgroup")
    (drift,) = rig.drift()
    assert drift.attach_point == f"connect4 on {rig.node.cgroup}"
    rig.call(rig.datapath.repair)
    assert rig.drift() == []


def test_a_cgroup_that_is_not_there_is_an_error_that_names_it(node: Node) -> None:
    """Nothing is attached."""
    rig = Rig(node, cgroup=node.cgroup / "nowhere")
    with pytest.raises(AttachError, match=r"\w+ on .*/nowhere: cannot attach: .*ENOENT"):
        rig.put(sock=sock())
    assert rig.links() == {}
    rig.close()


def test_a_cgroup_that_went_away_is_named(node: Node) -> None:
    """Drift and repair say so and raise nothing."""
    cgroup = node.cgroup / "passing"
    cgroup.mkdir()
    rig = Rig(node, cgroup=cgroup)
    rig.put(sock=sock())
    cgroup.rmdir()
    assert len(rig.drift()) == len(BALANCE | RESTORE | BIND)
    assert "cannot be repaired" in str(rig.call(rig.datapath.repair)[1])
    rig.close()
