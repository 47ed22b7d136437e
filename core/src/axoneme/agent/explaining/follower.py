# SPDX-License-Identifier: Apache-2.0
"""One node's part of a packet's way: from program to program, until it ends here or goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from axoneme.agent.frames import ends
from axoneme.agent.overlay import OVERLAY, OVERLAY_INDEX
from axoneme.datapath import TunnelKey, Verdict
from axoneme.errors import AxonemeError
from axoneme.model import Reserved, pack_address, unpack_address
from axoneme.net import Netlink, NetworkError

from .legs import Door, run_leg
from .parcels import Entrance, Outcome, Parcel, Passage

if TYPE_CHECKING:
    from axoneme.agent.cluster import Cluster
    from axoneme.datapath import Datapath
    from axoneme.model import Endpoint

    from .ends import Ends
    from .legs import Leg

#: AXN_TO_ENDPOINT: a redirect straight into a pod.
_TO_ENDPOINT: Final = 1 << 3
_LOOPBACK: Final = 1
#: No packet meets more programs on one node.
_MOST_LEGS: Final = 8


@frozen
class Follower:
    """Follows packets on this node."""

    cluster: Cluster
    ends: Ends

    @property
    def _datapath(self) -> Datapath:
        return self.cluster.engine.datapath

    def follow(self, parcel: Parcel) -> tuple[Passage, tuple[Leg, ...]]:
        """Say what becomes of a packet here, and through which programs it went.

        Raises:
            AxonemeError: it cannot come in that way.
        """
        legs: list[Leg] = []
        packet, turn = parcel.packet, self._enter(parcel)
        while isinstance(turn, Door):
            if turn.trunk not in self._datapath.assembly.programs:
                turn = self._passed(turn, packet)
                continue
            if len(legs) == _MOST_LEGS:
                turn = Passage(Outcome.LOST, "it goes round and round on this node")
                break
            leg = run_leg(self._datapath, turn, packet)
            legs.append(leg)
            packet, turn = leg.packet, self._after(leg)
        return turn, tuple(legs)

    def _enter(self, parcel: Parcel) -> Door | Passage:
        match parcel.entrance:
            case Entrance.POD:
                return _out_of(self._pod(parcel.pod))
            case Entrance.OVERLAY if parcel.sender is not None:
                tunnel = TunnelKey(parcel.sender, parcel.identity)
                return Door("from_overlay", OVERLAY, OVERLAY_INDEX, tunnel=tunnel)
            case Entrance.UPLINK if self._datapath.uplinks:
                return self._uplink(parcel.packet)
            case _:
                return self._routed(parcel.packet)

    def _pod(self, name: str) -> Endpoint:
        found = next((e for e in self._datapath.endpoints.values() if str(e) == name), None)
        if found is None:
            raise AxonemeError(f"pod {name} is not attached on node {self.cluster.name}")
        return found

    def _uplink(self, packet: bytes) -> Door:
        """The uplink by which the node would answer, else the first."""
        uplinks = {device.ifindex: device for device in self._datapath.uplinks}
        with Netlink() as netlink:
            try:
                back = netlink.way_to(ends(packet)[0]).device
            except NetworkError:
                back = 0
            device = uplinks.get(back) or next(iter(uplinks.values()))
            mac = netlink.link(device.ifindex).mac
        return Door("from_uplink", device.name, device.ifindex, target=mac)

    def _after(self, leg: Leg) -> Door | Passage:
        """Where a packet goes behind a program."""
        if leg.verdict is Verdict.DROP:
            return Passage(Outcome.DROPPED, f"on node {self.cluster.name}, in {leg.door.trunk}")
        if leg.verdict is not Verdict.REDIRECT:
            return self._passed(leg.door, leg.packet)
        if leg.flags & _TO_ENDPOINT:
            return self._delivered(leg.out_ifindex)
        tunnel = None
        if leg.out_ifindex == OVERLAY_INDEX:
            identity = leg.steps[-1].packet["src_identity"]
            tunnel = self._key(leg.packet, int(identity))
        return self._exit(leg.out_ifindex, leg.packet, tunnel)

    def _passed(self, door: Door, packet: bytes) -> Door | Passage:
        """Behind a program that let it pass, or that is not there."""
        match door.trunk:
            case "to_pod":
                return self._delivered(door.ifindex)
            case "to_uplink":
                return self._left(door, packet)
            case "to_overlay":
                return self._encapsulated(door.tunnel or self._key(packet, 0), packet)
            case _:
                return self._routed(packet)

    def _routed(self, packet: bytes) -> Door | Passage:
        """What the kernel's routes make of it."""
        target = ends(packet)[1]
        with Netlink() as netlink:
            try:
                way = netlink.way_to(target)
            except NetworkError as error:
                return Passage(Outcome.LOST, f"the kernel of {self.cluster.name} says: {error}")
        return self._exit(way.device, packet, None)

    def _exit(self, ifindex: int, packet: bytes, tunnel: TunnelKey | None) -> Door | Passage:
        """By a device, to which programs or the kernel have sent it."""
        if ifindex == _LOOPBACK:
            return Passage(Outcome.HOST, f"node {self.cluster.name} itself gets it")
        if ifindex == OVERLAY_INDEX:
            return Door("to_overlay", OVERLAY, ifindex, tunnel=tunnel)
        for endpoint in self._datapath.endpoints.values():
            if endpoint.ifindex == ifindex:
                return _into(endpoint)
        with Netlink() as netlink:
            link = netlink.find_link(ifindex)
        if link is None:
            return Passage(Outcome.LOST, f"it is sent to device {ifindex}, which is not there")
        door = Door("to_uplink", link.name, ifindex, source=link.mac)
        if ifindex in {device.ifindex for device in self._datapath.uplinks}:
            return door
        return self._left(door, packet)

    def _delivered(self, ifindex: int) -> Passage:
        for endpoint in self._datapath.endpoints.values():
            if endpoint.ifindex == ifindex:
                return Passage(Outcome.DELIVERED, f"pod {endpoint} gets it")
        return Passage(Outcome.LOST, f"it is sent to device {ifindex}, which is no pod's")

    def _left(self, door: Door, packet: bytes) -> Passage:
        """On the wire: for another node, or for somebody outside."""
        end = self.ends.of(ends(packet)[1])
        if end.node in ("", self.cluster.name):
            return Passage(Outcome.OUTSIDE, f"it leaves node {self.cluster.name} by {door.device}")
        words = f"by {door.device} to node {end.node}"
        return Passage(Outcome.ONWARD, words, [], end.node, Parcel(Entrance.UPLINK, packet))

    def _key(self, packet: bytes, identity: int) -> TunnelKey | None:
        """The key that a packet gets in the tunnel: what ipcache has, and whose packet it is."""
        source, target = map(pack_address, ends(packet))
        row = self._datapath.table("ipcache").get(target)
        if row is None or not any(row["tunnel"]):
            return None
        if not identity:
            tables = (self._datapath.table(name) for name in ("endpoints", "ipcache"))
            found = next((r for t in tables if (r := t.get(source)) is not None), None)
            identity = found["identity"] if found else Reserved.WORLD
        if identity == Reserved.HOST:
            identity = Reserved.REMOTE_NODE
        return TunnelKey(unpack_address(row["tunnel"]), int(identity))

    def _encapsulated(self, tunnel: TunnelKey | None, packet: bytes) -> Passage:
        """In the tunnel to another node."""
        if tunnel is None:
            return Passage(Outcome.LOST, f"ipcache knows no node behind {ends(packet)[1]}")
        end = self.ends.of(tunnel.node)
        own = self.cluster.record.address(tunnel.node.version)
        if not end.node:
            return Passage(Outcome.LOST, f"it is encapsulated to {tunnel.node}, which is no node")
        parcel = Parcel(Entrance.OVERLAY, packet, "", own, tunnel.identity)
        words = f"encapsulated to node {end.node} at {tunnel.node}"
        return Passage(Outcome.ONWARD, words, [], end.node, parcel)


def _out_of(endpoint: Endpoint) -> Door:
    macs = endpoint.mac, endpoint.node_mac
    return Door("from_pod", endpoint.ifname, endpoint.ifindex, *macs)


def _into(endpoint: Endpoint) -> Door:
    macs = endpoint.node_mac, endpoint.mac
    return Door("to_pod", endpoint.ifname, endpoint.ifindex, *macs)
