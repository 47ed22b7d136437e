# SPDX-License-Identifier: Apache-2.0
"""CiliumPodIPPool into the one form of pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from axoneme.model import AddressRange, FamilyPool, PodIPPool
from axoneme.model.address import parse_address
from axoneme.model.labels import is_label_key
from axoneme.model.selector import Selector
from axoneme.sources._networks import Networks
from axoneme.sources.manifests._wire_pools import CiliumPodIPPool, PoolCidr
from axoneme.wire import check_object_name, decode, network, requirements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.model import Address
    from axoneme.model.node import Network
    from axoneme.sources.manifests._wire_pools import FamilySpec, ReservedRange
    from axoneme.wire import Faults, LabelSelector, Path

KIND = "CiliumPodIPPool"
_APIS: Final = ("cilium.io/v2", "cilium.io/v2alpha1")
_LONGEST: Final = {4: 32, 6: 128}


def read_pool(document: dict[str, Any], faults: Faults) -> PodIPPool | None:
    """Return the pool that a document says; what is wrong with it is in `faults`."""
    version = document.get("apiVersion")
    if version not in _APIS:
        faults.add(("apiVersion",), f"{KIND} is read as {' or '.join(_APIS)}, not as {version!r}")
        return None
    wire = decode(CiliumPodIPPool, document, faults)
    if wire is None:
        return None
    check_object_name(wire.metadata.name, faults)
    spec = wire.spec
    if spec.ipv4 is None and spec.ipv6 is None:
        faults.add(("spec",), "needs ipv4, ipv6 or both: the pool has no addresses")
    return PodIPPool(
        wire.metadata.name,
        _family(spec.ipv4, 4, faults),
        _family(spec.ipv6, 6, faults),
        spec.allow_first,
        spec.allow_last,
        _selector(spec.pod_selector, faults, ("spec", "podSelector")),
        _selector(spec.namespace_selector, faults, ("spec", "namespaceSelector")),
        faults.where,
    )


def _selector(wire: LabelSelector | None, faults: Faults, path: Path) -> Selector | None:
    return None if wire is None else Selector(requirements(wire, _key, faults, path))


def _key(name: str) -> str:
    if not is_label_key(name):
        raise ValueError(f"{name!r} is no key of a label")
    return name


def _family(spec: FamilySpec | None, version: int, faults: Faults) -> FamilyPool | None:
    if spec is None:
        return None
    reading = _Family(version, spec.mask_size, faults)
    path: Path = ("spec", f"ipv{version}")
    if not 1 <= spec.mask_size <= _LONGEST[version]:
        sentence = f"must be 1 to {_LONGEST[version]} for IPv{version}, not {spec.mask_size}"
        faults.add((*path, "maskSize"), sentence)
    if not (spec.cidrs or spec.pool):
        faults.add(path, "needs at least one network in cidrs or pool")
    for index, cidr in enumerate(spec.cidrs or ()):
        if isinstance(cidr, PoolCidr):
            reading.take(cidr.cidr, (*path, "cidrs", index, "cidr"))
        else:
            reading.take(cidr, (*path, "cidrs", index))
    for index, one in enumerate(spec.pool or ()):
        at = (*path, "pool", index)
        taken = reading.take(one.cidr, (*at, "cidr"))
        if taken is not None:
            reading.reserve(taken, one.reserved_ranges or (), (*at, "reservedRanges"))
    return FamilyPool(tuple(reading.networks), spec.mask_size, tuple(reading.reserved))


@define
class _Family:
    """One family of a pool, as its networks are read."""

    version: int
    mask: int
    faults: Faults
    networks: list[Network] = field(factory=list)
    reserved: list[AddressRange] = field(factory=list)
    _seen: Networks[Path] = field(factory=Networks, init=False)

    def take(self, text: str, path: Path) -> Network | None:
        """Take a network in, and return it if it is one of this family."""
        found = network(text, self.faults, path)
        if found is None:
            return None
        if found.version != self.version:
            sentence = f"{found} is IPv{found.version}: write it below ipv{found.version}"
            self.faults.add(path, sentence)
            return None
        if found.prefixlen > self.mask:
            sentence = f"{found} is smaller than a node's part of it, which maskSize {self.mask} is"
            self.faults.add(path, sentence)
        other = self._seen.overlapping(found)
        if other is None:
            self._seen.add(found, path)
            self.networks.append(found)
        elif not (other[0] == found and other[1][2] == "cidrs" and path[2] == "pool"):
            # Some say in `pool` once more what they have in `cidrs`, to reserve a part of it.
            self.faults.add(path, f"{found} overlaps {other[0]}, which the pool has already")
        return found

    def reserve(self, whole: Network, ranges: Iterable[ReservedRange], path: Path) -> None:
        """Take in what is reserved of a network."""
        for index, one in enumerate(ranges):
            at = (*path, index)
            ends = [*self._ends(whole, one, at)]
            if len(ends) < len(("start", "end")):
                continue
            try:
                self.reserved.append(AddressRange(*ends))
            except ValueError as error:
                self.faults.add(at, str(error))

    def _ends(self, whole: Network, one: ReservedRange, path: Path) -> Iterator[Address]:
        for name, text in (("start", one.start), ("end", one.end)):
            try:
                address = parse_address(text)
            except ValueError:
                self.faults.add((*path, name), f"{text!r} is no address")
                continue
            if address in whole:
                yield address
            else:
                self.faults.add((*path, name), f"{address} is outside {whole}")
