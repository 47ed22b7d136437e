# SPDX-License-Identifier: Apache-2.0
"""Which pool a pod's addresses come from, in the mode multi-pool.

The order is that of Cilium: annotations of the pod, then of its namespace, then the pools' own
selectors, then the default pool. See Documentation/network/concepts/ipam/multi-pool.rst there.
Where several pools select a pod Cilium refuses it; here the first by name has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from axoneme.errors import nearest
from axoneme.model import Labels, PoolChoice

from .multipool import versions_of
from .needs import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.model import AddressRequest, PodIPPool

    from .config import IpamConfig

_POOL = "ipam.cilium.io/ip-pool"
_POOL_OF = {4: "ipam.cilium.io/ipv4-pool", 6: "ipam.cilium.io/ipv6-pool"}
_REQUIRE = "ipam.cilium.io/require-pool-match"


@frozen
class _Rule:
    """The pool of one family, and why; `strict` if the pool must have that family."""

    pool: str
    why: str
    strict: bool = False
    is_default: bool = False


def choose_pools(
    pod: AddressRequest, pools: Mapping[str, PodIPPool], config: IpamConfig
) -> PoolChoice:
    """Choose a pod's pools, or say why it can have none."""
    rules = {version: _rule(pod, pools, version, config) for version in FAMILIES}
    if _must_match(pod):
        rules = _without_default(rules)
    return PoolChoice(rules[4].pool, rules[6].pool, _why(rules), _refusal(pod, pools, rules))


def _rule(
    pod: AddressRequest, pools: Mapping[str, PodIPPool], version: int, config: IpamConfig
) -> _Rule:
    annotated = _annotated(pod, version)
    if annotated is not None:
        return annotated
    selecting = [
        name for name, pool in sorted(pools.items()) if pool.family(version) and _selects(pool, pod)
    ]
    if len(selecting) > 1:
        return _Rule(selecting[0], f"pools {', '.join(selecting)} select it: the first by name")
    if selecting:
        return _Rule(selecting[0], f"pool {selecting[0]} selects it")
    return _Rule(config.default_pool, "no rule names another", is_default=True)


def _annotated(pod: AddressRequest, version: int) -> _Rule | None:
    for whose, notes in (
        ("pod", pod.annotations),
        (f"namespace {pod.namespace}", pod.namespace_annotations),
    ):
        for key in (_POOL_OF[version], _POOL):
            if notes.get(key):
                why = f"annotation {key} of the {whose}"
                return _Rule(notes[key], why, strict=key != _POOL)
    return None


def _selects(pool: PodIPPool, pod: AddressRequest) -> bool:
    """Whether a pool chooses a pod by itself: all selectors that it has must match."""
    own = {
        **pod.labels,
        "io.kubernetes.pod.namespace": pod.namespace,
        "io.kubernetes.pod.name": pod.name,
    }
    asked = [
        selector.matches(Labels(labels))
        for selector, labels in (
            (pool.pod_selector, own),
            (pool.namespace_selector, pod.namespace_labels),
        )
        if selector is not None
    ]
    return bool(asked) and all(asked)


def _must_match(pod: AddressRequest) -> bool:
    return "true" in (pod.annotations.get(_REQUIRE), pod.namespace_annotations.get(_REQUIRE))


def _without_default(rules: Mapping[int, _Rule]) -> dict[int, _Rule]:
    """A pod that must match takes nothing of the default pool for its other family, either."""
    matched = next((rule for rule in rules.values() if not rule.is_default), None)
    if matched is None:
        return {version: _Rule(rule.pool, _REQUIRE) for version, rule in rules.items()}
    instead = evolve(matched, strict=False)
    return {v: instead if rule.is_default else rule for v, rule in rules.items()}


def _why(rules: Mapping[int, _Rule]) -> str:
    if rules[4].why == rules[6].why:
        return rules[4].why
    return f"IPv4: {rules[4].why}; IPv6: {rules[6].why}"


def _refusal(
    pod: AddressRequest, pools: Mapping[str, PodIPPool], rules: Mapping[int, _Rule]
) -> str:
    if all(rule.why == _REQUIRE for rule in rules.values()):
        return (
            f"{pod} must be of a pool that chooses it ({_REQUIRE}), and none does: annotate it or "
            f"its namespace with {_POOL}, or give a pool a selector for it"
        )
    for version, rule in rules.items():
        text = _missing(pools, version, rule)
        if text:
            return f"{pod}: {text}"
    if not any(_has(pools, rule.pool, version) for version, rule in rules.items()):
        return f"{pod}: {_nothing(pools, rules)}"
    return ""


def _has(pools: Mapping[str, PodIPPool], name: str, version: int) -> bool:
    return name in pools and pools[name].family(version) is not None


def _missing(pools: Mapping[str, PodIPPool], version: int, rule: _Rule) -> str:
    """What is wrong with a pool that a rule names for a family."""
    if rule.is_default or _has(pools, rule.pool, version):
        return ""
    if rule.pool not in pools:
        near = nearest(rule.pool, pools)
        hint = f"; did you mean {near!r}?" if near else ""
        return f"{rule.why}: there is no pool {rule.pool}{hint}"
    if not rule.strict:
        return ""
    able = [name for name, pool in pools.items() if version in versions_of(pool)]
    near = nearest(rule.pool, able) or next(iter(sorted(able)), None)
    hint = f"; {near} has" if near else ""
    return f"{rule.why}: pool {rule.pool} has no IPv{version} networks{hint}"


def _nothing(pools: Mapping[str, PodIPPool], rules: Mapping[int, _Rule]) -> str:
    name = rules[4].pool
    if name in pools:
        return f"pool {name} has no networks ({rules[4].why}): add some to its spec"
    near = nearest(name, pools)
    hint = f"; did you mean {near!r}?" if near else ""
    return (
        f"no rule names a pool for it, and there is no pool {name}{hint}: add a CiliumPodIPPool "
        "of that name, or name another by ipam.default-pool"
    )
