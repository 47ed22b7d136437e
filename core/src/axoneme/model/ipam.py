# SPDX-License-Identifier: Apache-2.0
"""Addresses of pods: what a node may give, what a pod asks for, and what nodes are assigned."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from axoneme.model.address import Address
    from axoneme.model.node import Network, NodeRecord
    from axoneme.model.selector import Selector

#: The pool of pods that name none.
DEFAULT_POOL = "default"


def _frozen(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(dict(value))


def _networks(networks: Iterable[Network]) -> tuple[Network, ...]:
    return tuple(networks)


@frozen
class AddressRange:
    """The addresses from `first` to `last`, both of them included."""

    first: Address
    last: Address = field()

    @last.validator
    def _check_last(self, _: object, value: Address) -> None:
        if value.version != self.first.version or int(value) < int(self.first):
            raise ValueError(f"a range from {self.first} to {value} has no addresses")

    def __contains__(self, address: Address) -> bool:
        """Whether an address is in it."""
        return address.version == self.first.version and int(self.first) <= int(address) <= int(
            self.last
        )

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.first}-{self.last}"


@frozen
class AddressPool:
    """Addresses that a node may give to pods, of one or both families, under one name.

    Of a network of more than two addresses neither the first is given, which means the network,
    nor the last, to which IPv4 broadcasts, unless `allow_first` or `allow_last` says so; of one
    address or two all are. None of `reserved` is given. A pod gets an address of each of
    `versions`, or of each family that `networks` have if that is empty. `grows` says that the node
    gets more networks when it runs low: whoever finds none waits a moment.
    """

    name: str = DEFAULT_POOL
    networks: tuple[Network, ...] = field(default=(), converter=_networks)
    versions: tuple[int, ...] = ()
    reserved: tuple[AddressRange, ...] = ()
    allow_first: bool = False
    allow_last: bool = False
    grows: bool = False

    def __str__(self) -> str:
        """Return its name."""
        return self.name


@frozen
class NetworkUsage:
    """How many addresses of a pool's network are given, resting after their release, and free."""

    pool: str
    network: Network
    used: int
    resting: int
    free: int

    @property
    def size(self) -> int:
        """How many pods could have an address of it."""
        return self.used + self.resting + self.free


@frozen
class AddressUsage:
    """What a node has given: by pool and network, and who has which address."""

    networks: tuple[NetworkUsage, ...] = ()
    #: Addresses in use, each with the pod's namespace/name or what else is known of its owner.
    used: Mapping[Address, str] = field(factory=dict, converter=_frozen)
    #: How many pods found no address of a pool lately, by family: they come again.
    waiting: tuple[PoolDemand, ...] = ()

    def of(self, pool: str, version: int) -> tuple[NetworkUsage, ...]:
        """The networks of one pool and family."""
        return tuple(n for n in self.networks if n.pool == pool and n.network.version == version)


@frozen
class AddressRequest:
    """A pod that is to get addresses: what it is, and which it asks for by the runtime.

    `labels` and `annotations` are those of its manifest or object; those of its namespace stand
    beside them. `addresses` are the very addresses that it wants, of each family one or none.
    """

    namespace: str
    name: str
    labels: Mapping[str, str] = field(factory=dict, converter=_frozen)
    annotations: Mapping[str, str] = field(factory=dict, converter=_frozen)
    namespace_labels: Mapping[str, str] = field(factory=dict, converter=_frozen)
    namespace_annotations: Mapping[str, str] = field(factory=dict, converter=_frozen)
    addresses: tuple[Address, ...] = ()

    def __str__(self) -> str:
        """Return namespace and name."""
        return f"{self.namespace}/{self.name}"


@frozen
class PoolChoice:
    """The pools that a pod's addresses come from, by family, and the rule that chose them.

    With a `refusal`, a sentence that says why and what to do, the pod gets none.
    """

    ipv4: str = DEFAULT_POOL
    ipv6: str = DEFAULT_POOL
    why: str = "no rule names another"
    refusal: str = ""

    def of(self, version: int) -> str:
        """The pool of a family."""
        return self.ipv4 if version == 4 else self.ipv6


@frozen
class PoolDemand:
    """How many addresses of a pool a node needs: spec.ipam.pools.requested of CiliumNode."""

    pool: str
    ipv4: int = 0
    ipv6: int = 0

    def of(self, version: int) -> int:
        """The number of one family."""
        return self.ipv4 if version == 4 else self.ipv6


@frozen
class PoolPart:
    """The networks of a pool that a node has: spec.ipam.pools.allocated of CiliumNode."""

    pool: str
    networks: tuple[Network, ...] = ()


@frozen
class NodeIpam:
    """What CiliumNode says of a node's addresses, in the order of its fields.

    The operator writes `pod_cidrs`, `allocated` and `error`, the node's agent takes out of the
    first two what it gives back and writes `requested` and `used`; `pool` is filled by whoever
    runs the mode crd, with what each address belongs to.
    """

    pod_cidrs: tuple[Network, ...] = ()
    pool: Mapping[Address, str] = field(factory=dict, converter=_frozen)
    requested: tuple[PoolDemand, ...] = ()
    allocated: tuple[PoolPart, ...] = ()
    used: Mapping[Address, str] = field(factory=dict, converter=_frozen)
    error: str = ""

    def demand(self, pool: str) -> PoolDemand:
        """What the node needs of a pool."""
        return next((d for d in self.requested if d.pool == pool), PoolDemand(pool))

    def part(self, pool: str) -> tuple[Network, ...]:
        """The networks of a pool that the node has."""
        return tuple(n for part in self.allocated if part.pool == pool for n in part.networks)


@frozen
class FamilyPool:
    """One family of a pool of the cluster: its networks, and the mask of what a node gets."""

    networks: tuple[Network, ...]
    mask_size: int
    reserved: tuple[AddressRange, ...] = ()


@frozen
class PodIPPool:
    """A pool of the cluster: CiliumPodIPPool of cilium.io/v2 and v2alpha1.

    A selector that is None chooses no pod by itself; the keys of selectors are those of the object,
    without a source. `place` is the file and line, if it has one.
    """

    name: str
    ipv4: FamilyPool | None = None
    ipv6: FamilyPool | None = None
    allow_first: bool = False
    allow_last: bool = False
    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None
    place: str = field(default="", eq=False)

    def family(self, version: int) -> FamilyPool | None:
        """Its networks of one family."""
        return self.ipv4 if version == 4 else self.ipv6

    def __str__(self) -> str:
        """Return its name."""
        return self.name


@frozen
class IpamNode:
    """A node as IPAM sees it: its resource, Kubernetes' podCIDRs for it, the cluster's pools."""

    record: NodeRecord
    kubernetes_cidrs: tuple[Network, ...] = ()
    pools: Mapping[str, PodIPPool] = field(factory=dict, converter=_frozen)

    @property
    def ipam(self) -> NodeIpam:
        """What the resource says of addresses."""
        return self.record.ipam


@frozen
class IpamCluster:
    """All nodes and the cluster's pools, as the operator sees them.

    `taken` are networks beside those of `nodes` that no node may get: some node has them whose
    resource says something wrong.
    """

    nodes: tuple[NodeRecord, ...] = ()
    pools: Mapping[str, PodIPPool] = field(factory=dict, converter=_frozen)
    taken: tuple[Network, ...] = ()


@frozen
class Assignment:
    """Networks for a node: of a pool, or its podCIDRs where `pool` is ""."""

    node: str
    networks: tuple[Network, ...]
    pool: str = ""


@frozen
class PoolState:
    """A pool of the cluster as the operator counts it: parts are what a node gets at a time."""

    pool: str
    version: int
    parts: int
    given: int

    @property
    def free(self) -> int:
        """How many parts no node has."""
        return self.parts - self.given


@frozen
class StrandedNetwork:
    """A network that a node has and its pool would not give: the node keeps it.

    `why` completes the sentence "node one has 10.0.1.0/24 of pool default, which ...".
    """

    node: str
    network: Network
    why: str
    pool: str = DEFAULT_POOL


@frozen
class AssignmentPlan:
    """What the operator is to do: networks for nodes, and why some get none.

    `errors` are by node, for its own resource; `problems` are the cluster's, for people. Of what
    is `stranded` core says which pods have addresses in it.
    """

    assignments: tuple[Assignment, ...] = ()
    errors: Mapping[str, str] = field(factory=dict, converter=_frozen)
    problems: tuple[str, ...] = ()
    pools: tuple[PoolState, ...] = ()
    stranded: tuple[StrandedNetwork, ...] = ()
