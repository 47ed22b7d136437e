# SPDX-License-Identifier: Apache-2.0
"""The datapath of one node: what is loaded, where it is attached, and how it is replaced.

Everything here is of the network namespace, the bpffs and the cgroup of the calling thread.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from axoneme.errors import AttachError, DatapathError, MapError, nearest
from axoneme.model import pack_address

from ._formats import layout_of
from .assembly import Assembler, Assembly
from .attachments import (
    CgroupAttachment,
    ClsactAttachment,
    Drift,
    TcxAttachment,
    TracepointAttachment,
    XdpAttachment,
    raw_tracepoint,
)
from .converters import Carrier
from .counters import (
    read_counts,
    read_drops,
    restore_reasons,
    write_reasons,
)
from .events import read_event_counts
from .features import supported
from .images import trunk
from .loaders import own_loader
from .maps import Maps
from .pins import Pins
from .preflight import preflight
from .probes import probe_tc, probe_xdp
from .reasons import ReasonRegistry
from .runtime import Runtime
from .tables import Table
from .testruns import run_tc, run_xdp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from axoneme.model import Address, Endpoint, PluginObject

    from ._drift import Drift as RowDrift
    from ._formats import Format
    from .attachments import (
        Attachment,
    )
    from .converters import Carried, Converter
    from .counters import (
        Count,
        Drop,
    )
    from .events import EventCount
    from .loaders import LoadedProgram, Loader
    from .probes import Step, TunnelKey
    from .tables import Rows
    from .testruns import TestRun

_POD_TRUNKS = ("from_pod", "to_pod")
_UPLINK_TRUNKS = ("from_uplink", "to_uplink")
_OVERLAY_TRUNKS = ("from_overlay", "to_overlay")
#: The stages whose plugins keep packets out: without them everything passes.
_GUARDS = frozenset({"admit", "policy", "xdp_filter"})


@frozen
class Device:
    """A network device of the node."""

    name: str
    ifindex: int


@frozen
class Swap:
    """What a commit did: places updated, and the seconds from the first update to the last.

    carried: what became of the rows of maps whose layout is another now.
    """

    updated: int
    seconds: float
    link_seconds: Mapping[str, float]
    load_seconds: Mapping[str, float]
    carried: tuple[Carried, ...] = ()


@define
class Datapath:
    """Prepares assemblies, puts one in effect, and keeps endpoints attached to it."""

    pins: Pins
    maps: Maps
    reasons: ReasonRegistry
    cgroup: Path | None = None
    uplinks: tuple[Device, ...] = ()
    overlays: tuple[Device, ...] = ()
    tcx: bool = field(factory=lambda: supported("tcx"), kw_only=True)
    _assembler: Assembler = field(kw_only=True)
    _carrier: Carrier = field(kw_only=True)
    #: Whether all programs that are attached are ours to update: not before forget_others, where
    #: an earlier agent has left some.
    _settled: bool = field(kw_only=True)
    _assembly: Assembly = field(factory=Assembly, init=False)
    #: What became of rows whose map got another layout, at the end of the last change of maps.
    carried: list[Carried] = field(factory=list, init=False)
    _attachments: dict[tuple[str, str], Attachment] = field(factory=dict, init=False)
    _endpoints: dict[int, Endpoint] = field(factory=dict, init=False)

    @classmethod
    def open(
        cls,
        bpffs: Path,
        *,
        cgroup: Path | None = None,
        uplinks: Iterable[Device] = (),
        overlays: Iterable[Device] = (),
        entries: Mapping[str, int] | None = None,
        find_loader: Callable[[str], Loader | None] = own_loader,
        converters: Mapping[str, Converter] | None = None,
        tcx: bool | None = None,
    ) -> Datapath:
        """Open a node's datapath; nothing is loaded yet.

        find_loader: the loader of a name; by default core's own, libbpf and bcc.
        overlays: the tunnel devices, whose packets are told where they go.
        converters: by map, what carries its rows to another layout where names do not suffice.
        tcx: whether tc programs are attached by links; by default where the kernel has them.

        Raises:
            NotSupported: the kernel is too old.
            DatapathError: no privileges, or bpffs is not mounted.
            LayoutMismatch: the pins there are another core's.
        """
        preflight(bpffs)
        pins = Pins(bpffs)
        pins.create()
        settled = pins.empty()
        maps, reasons = Maps(pins), ReasonRegistry()
        restore_reasons(maps, reasons)
        assembler = Assembler(maps, reasons, find_loader, entries or {})
        tcx = supported("tcx") if tcx is None else tcx
        return cls(
            *(pins, maps, reasons, cgroup, tuple(uplinks), tuple(overlays)),
            tcx=tcx,
            assembler=assembler,
            carrier=Carrier(maps, converters or {}),
            settled=settled,
        )

    @property
    def assembly(self) -> Assembly:
        """What is in effect."""
        return self._assembly

    @property
    def endpoints(self) -> Mapping[int, Endpoint]:
        """The endpoints of this node by id."""
        return dict(self._endpoints)

    def prepare(self, objects: Mapping[str, Iterable[PluginObject]]) -> Assembly:
        """Link and load the objects of each plugin; nothing that runs is touched."""
        return self._assembler.prepare(objects)

    def commit(self, assembly: Assembly, *, keep: Iterable[str] = ()) -> Swap:
        """Put an assembly in effect, in place of the one that is.

        keep: plugins that are enabled. One of them that is not in effect, for whatever is wrong
        with it now, has its maps when it comes back; so have those that the assembly refused.

        Rows of maps that have another layout now are carried before the first place is updated,
        and after the last one again. Nobody may collect rows meanwhile.

        Raises:
            AttachError: a place could not be updated; those that were have the old program again.
        """
        old, wanted = self._assembly, self._places(assembly)
        try:
            carried = self._carrier.fill(assembly.maps, assembly.made)
            Runtime(self.maps.table("runtime")).begin()
            started = time.perf_counter()
            for key, (attachment, program) in wanted.items():
                attachment.attach(program.fd)
                self._attachments[key] = attachment
        except BaseException:
            self._roll_back(old)
            if old.images:
                self._begin_generation()
            self._carrier.give_back(assembly.made)
            assembly.close()
            raise
        seconds = time.perf_counter() - started
        for key in self._attachments.keys() - wanted.keys():
            self._attachments.pop(key).detach()
        # Other programs may decide otherwise; and whoever was killed had no time to say so.
        self._begin_generation()
        self._assembly = assembly
        assembly.made.clear()
        old.close()
        if self._settled:
            carried += self._carrier.finish(assembly.maps)
        self.carried = carried
        unfinished = self._carrier.pins(assembly.maps)
        self.maps.retain(assembly.maps, {*keep, *(r.plugin for r in assembly.refused)}, unfinished)
        write_reasons(self.maps, self.reasons)
        self.pins.keep_guards(guards(assembly))
        return Swap(
            len(wanted),
            seconds,
            {n: i.linked.link_seconds for n, i in assembly.images.items()},
            {n: i.loaded.load_seconds for n, i in assembly.images.items()},
            tuple(carried),
        )

    def _roll_back(self, old: Assembly) -> None:
        """Put the old programs back wherever that can be done; drift() names the other places."""
        places = self._places(old)
        for key, attachment in list(self._attachments.items()):
            if key in places:
                with suppress(AttachError):
                    attachment.attach(places[key][1].fd)
            else:
                attachment.detach()
                del self._attachments[key]

    def _places(
        self, assembly: Assembly
    ) -> dict[tuple[str, str], tuple[Attachment, LoadedProgram]]:
        """Where each program of an assembly belongs."""
        programs = assembly.programs
        fresh = [
            (name, target, attachment, programs[name])
            for name, target, attachment in (*self._tc_places(), *self._other_places(programs))
            if name in programs
        ]
        fresh += self._standalone_places(assembly)
        return {
            (name, target): (self._attachments.get((name, target), attachment), program)
            for name, target, attachment, program in fresh
        }

    def _tc_places(self) -> Iterator[tuple[str, str, Attachment]]:
        pods = [Device(e.ifname, e.ifindex) for e in self._endpoints.values()]
        places = (
            (_POD_TRUNKS, pods),
            (_UPLINK_TRUNKS, self.uplinks),
            (_OVERLAY_TRUNKS, self.overlays),
        )
        for names, devices in places:
            for device in devices:
                for name in names:
                    yield name, device.name, self._tc_attachment(name, device)

    def _other_places(self, programs: Iterable[str]) -> Iterator[tuple[str, str, Attachment]]:
        for name in programs:
            image = trunk(name).image
            if image == "xdp":
                for device in self.uplinks:
                    at = XdpAttachment(self.pins, name, ifindex=device.ifindex, device=device.name)
                    yield name, device.name, at
            if image == "socket" and self.cgroup is not None:
                yield name, "cgroup", CgroupAttachment(self.pins, name, cgroup=self.cgroup)

    def _standalone_places(
        self, assembly: Assembly
    ) -> Iterator[tuple[str, str, Attachment, LoadedProgram]]:
        for source in assembly.sources:
            for program in source.loaded.programs.values():
                event = raw_tracepoint(program.attach)
                if not event:
                    continue  # an iterator: whoever reads it links it
                name = f"{source.source.plugin}_{program.name}"
                yield name, event, TracepointAttachment(self.pins, name, event=event), program

    # Endpoints

    def add_endpoint(self, endpoint: Endpoint) -> None:
        """Attach the pod's trunks and write its addresses; again with the same is no change.

        One that is there and changed keeps its programs, unless it has another device.

        Raises:
            AttachError: its device is not there, or refuses.
            MapFull: the map of endpoints has no room.
        """
        old = self._endpoints.get(endpoint.id)
        if old is not None and (old.ifname, old.ifindex) != (endpoint.ifname, endpoint.ifindex):
            self.remove_endpoint(endpoint.id)
            old = None
        try:
            for name in _POD_TRUNKS:
                attachment = self._attachments.get((name, endpoint.ifname)) or self._tc_attachment(
                    name, Device(endpoint.ifname, endpoint.ifindex)
                )
                attachment.attach(self._program(name).fd)
                self._attachments[name, endpoint.ifname] = attachment
            self._write_endpoint(endpoint)
            if old is not None:
                self._delete_addresses(set(old.addresses) - set(endpoint.addresses))
        except BaseException:
            if old is None:
                self._detach_pod(endpoint)
            raise
        self._endpoints[endpoint.id] = endpoint

    def remove_endpoint(self, endpoint_id: int) -> None:
        """Take an endpoint's addresses and programs away; nothing happens if it is not there."""
        endpoint = self._endpoints.pop(endpoint_id, None)
        if endpoint is None:
            return
        self._delete_addresses(endpoint.addresses)
        self._detach_pod(endpoint)

    def _write_endpoint(self, endpoint: Endpoint) -> None:
        """Write its rows; what was said of an address before holds no longer."""
        table, rows = self.maps.table("endpoints"), _endpoint_rows(endpoint)
        before = [table.get(key) for key, _ in rows]
        table.write(rows)
        if any(old not in (None, row) for old, (_, row) in zip(before, rows, strict=True)):
            self._begin_generation()

    def _delete_addresses(self, addresses: Iterable[Address]) -> None:
        if self.maps.table("endpoints").delete([pack_address(a) for a in addresses]):
            self._begin_generation()

    def _begin_generation(self) -> None:
        """Have programs forget what they took from maps, and what was decided of flows."""
        Runtime(self.maps.table("runtime")).bump()

    def _detach_pod(self, endpoint: Endpoint) -> None:
        for name in _POD_TRUNKS:
            attachment = self._attachments.pop((name, endpoint.ifname), None)
            if attachment is not None:
                attachment.detach()

    def _tc_attachment(self, name: str, device: Device) -> Attachment:
        """A link where the kernel has tcx, else a clsact filter."""
        if self.tcx:
            return TcxAttachment(self.pins, name, ifindex=device.ifindex, device=device.name)
        return ClsactAttachment(name, ifindex=device.ifindex, device=device.name)

    def forget_others(self) -> list[str]:
        """Remove what an earlier agent left for endpoints and devices that are gone.

        Call it when all endpoints have been added: the pinned links and the rows that no endpoint
        accounts for go, and their names are returned. Maps of other layouts, which its programs
        have used until now, go too.
        """
        stale = self.pins.keep_links(a.pin_name for a in self._attachments.values())
        self._settled = True
        self.carried = self._carrier.finish(self._assembly.maps)
        self.reconcile_endpoints()
        return stale

    def reconcile_endpoints(self) -> int:
        """Write what differs in the map of endpoints; the number of rows that did."""
        drift = self._write_endpoints()
        return drift.added + drift.changed + drift.removed

    def _write_endpoints(self) -> RowDrift:
        drift = self.maps.table("endpoints").reconcile(self.wanted_endpoints())
        if drift:
            self._begin_generation()
        return drift

    def wanted_endpoints(self) -> Rows:
        """What the map of endpoints should hold."""
        rows = (row for e in self._endpoints.values() for row in _endpoint_rows(e))
        return self.maps.table("endpoints").rows(rows)

    # For plugins and for people

    def table(self, name: str, codec: ModuleType | None = None) -> Table:
        """A map: a plugin's own by its codec, a shared one without."""
        return self.maps.table(name, codec)

    def standalone_map(self, plugin: str, name: str, *, key: Format, value: Format) -> Table:
        """A map of an object that stands alone and is in effect; such objects have no codec.

        key, value: what the map holds, as letters of struct: "I", or {"packets": "Q", "mac": "6s"}.

        Raises:
            DatapathError: the plugin has no such map in effect.
            LayoutMismatch: the map's keys or values have another size.
        """
        own = [s.loaded.maps for s in self._assembly.sources if s.source.plugin == plugin]
        for maps in own:
            if name in maps:
                return Table(maps[name].fd, layout_of(name, key, value))
        hint = nearest(name, {other for maps in own for other in maps})
        did_you_mean = f"; did you mean {hint!r}?" if hint else ""
        raise DatapathError(f"plugin {plugin} has no map {name} of its own{did_you_mean}")

    def counts(self) -> list[Count]:
        """What each trunk decided."""
        return read_counts(self.maps)

    def drops(self) -> list[Drop]:
        """What was dropped, by trunk and reason."""
        return read_drops(self.maps, self.reasons)

    def event_counts(self) -> Sequence[EventCount]:
        """How many events there were, by type and CPU, and what became of them."""
        return read_event_counts(self.maps)

    def run(self, name: str, packet: bytes, *, ifindex: int = 1, repeat: int = 1) -> TestRun:
        """Run a trunk on a packet: counters count and plugins write, but nothing leaves."""
        program = self._program(name)
        if trunk(name).image == "xdp":
            return run_xdp(program.fd, packet, repeat=repeat)
        return run_tc(program.fd, packet, ifindex=ifindex, repeat=repeat)

    def probe(
        self,
        name: str,
        packet: bytes,
        *,
        ifindex: int = 1,
        tunnel: TunnelKey | None = None,
        repeat: int = 1,
    ) -> tuple[TestRun, tuple[Step, ...]]:
        """Run a trunk of tc or XDP as a probe, which changes nothing; with each lane's answer.

        tunnel: at tc, the key of a packet that comes out of a tunnel, or is on its way into it.
        repeat: at tc, how often; the last run is told. The kernel does not restore the packet.
        """
        program = self._program(name)
        if trunk(name).image == "xdp":
            return probe_xdp(self.maps, program.fd, packet)
        return probe_tc(
            self.maps, program.fd, packet, ifindex=ifindex, tunnel=tunnel, repeat=repeat
        )

    def _program(self, name: str) -> LoadedProgram:
        try:
            return self._assembly.programs[name]
        except KeyError:
            raise DatapathError(
                f"trunk {name} is not loaded: no plugin fills a stage of it"
            ) from None

    # Drift

    def attached(self, device: str | None = None) -> list[tuple[Attachment, Drift | None]]:
        """Where programs are attached, all or on one device, and what is not as it was left."""
        return [
            (attachment, attachment.drift())
            for (_, target), attachment in self._attachments.items()
            if device in {None, target}
        ]

    def drift(self, device: str | None = None) -> list[Drift]:
        """Attachments that are not as they were left: all, or those of one device."""
        return [drift for _, drift in self.attached(device) if drift is not None]

    def repair(self) -> list[Drift]:
        """Attach again what others removed, and write again what they changed; what was found."""
        found = []
        for key, (attachment, program) in self._places(self._assembly).items():
            drift = attachment.drift()
            if drift is not None:
                found.append(drift)
                attachment.detach()
                try:
                    attachment.attach(program.fd)
                except AttachError as error:
                    found.append(Drift(attachment.attach_point, f"cannot be repaired: {error}"))
                self._attachments[key] = attachment
        found += self._repin()
        try:
            rows = self._write_endpoints()
        except MapError as error:
            found.append(Drift("map endpoints", str(error)))
        else:
            if rows:
                found.append(Drift("map endpoints", f"not as written: {rows}"))
        return found

    def _repin(self) -> list[Drift]:
        """Pin again what the next agent is to find."""
        self.pins.create()
        self.pins.keep_guards(guards(self._assembly))
        names = [f"links/{a.pin_name}" for a in self._attachments.values() if a.repin()]
        names += [f"maps/{name}" for name in self.maps.repin()]
        return [Drift(f"pin {name}", "it was removed") for name in names]

    # The end

    def close(self) -> None:
        """Let go of everything; what is attached and pinned goes on without us."""
        for attachment in self._attachments.values():
            attachment.close()
        self._attachments.clear()
        self._assembly.close()
        self._assembly = Assembly()
        self.maps.close()

    def remove(self) -> None:
        """Detach everything and remove the pins: the node is as before us."""
        for attachment in self._attachments.values():
            attachment.detach()
        self._attachments.clear()
        self.close()
        self.pins.remove()


def guards(assembly: Assembly) -> set[str]:
    """The plugins of an assembly that keep packets out."""
    lanes = assembly.lanes
    return {plugin for stage in _GUARDS & lanes.keys() for plugin in lanes[stage]}


def _endpoint_rows(endpoint: Endpoint) -> list[tuple[bytes, dict[str, object]]]:
    value: dict[str, object] = {
        "id": endpoint.id,
        "identity": endpoint.identity,
        "ifindex": endpoint.ifindex,
        "flags": 0,
        "mac": endpoint.mac,
        "node_mac": endpoint.node_mac,
        "rule_set": endpoint.rule_set,
    }
    return [(pack_address(address), value) for address in endpoint.addresses]
