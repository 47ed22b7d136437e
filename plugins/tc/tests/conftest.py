# SPDX-License-Identifier: Apache-2.0
"""Two pods of one node, for packets of our making: nothing is sent, so tests share them."""

from __future__ import annotations

from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve, frozen
from plugins.tc.tests.tracking import Tracking

from axoneme.datapath import IpcacheMaps, PolicyMaps, Remote
from axoneme.datapath.reasons import core_reasons
from axoneme.host import entry_points
from axoneme.model.rule_set import RuleSet
from axoneme.testing import Node
from axoneme.testing.pipelines import Pipeline, installed_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from importlib.metadata import EntryPoint

    from axoneme.datapath import TestRun
    from axoneme.model.rule_set import PolicyEntry, PolicyKey
    from axoneme.testing import Packet, Pod

#: Whom the ruled pair knows: its pods have the identities 1001 and 1002.
REMOTE = 4242  # a pod of another node
OTHER_NODE = 6


@frozen
class Pair:
    """A pipeline with the tc plugin, and two pods: 10.1.0.1 and .2, fd00:10:1::1 and ::2."""

    pipeline: Pipeline
    one: Pod
    two: Pod

    def run(self, packet: Packet | bytes) -> TestRun:
        """Run a packet through from_pod as if the first pod had sent it."""
        return self.pipeline.run("from_pod", bytes(packet), pod=self.one)

    def reason(self, packet: Packet | bytes) -> str:
        """The name of the reason for which a packet of the first pod is dropped, or nothing."""
        before = self.pipeline.drop_reasons()
        self.run(packet)
        after = self.pipeline.drop_reasons()
        return "".join(name for name, count in after.items() if count != before.get(name, 0))


@pytest.fixture(autouse=True)
def _place_in_the_table(record_property: Callable[[str, Any], None]) -> None:
    """Say whose test it is, for the table of kernels."""
    record_property("plugin", "tc")
    record_property("loader", "libbpf")


@pytest.fixture(scope="session", params=["alone", "with_all"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The pair, with core and the plugin alone, and with all plugins that are installed."""
    plugins = {"tc"} | (installed_plugins() if request.param == "with_all" else set())
    with Node() as node, Pipeline(node, sorted(plugins)) as pipeline:
        assert pipeline.status("tc") == "on"
        yield Pair(pipeline, pipeline.add_pod("one"), pipeline.add_pod("two"))


@frozen
class Ruled:
    """A pair as above under rule sets, asked by probes: nothing is remembered of any packet.

    10.2.0.9 and fd00:10:2::9 are a pod of another node, 172.31.0.1 and fd00:172::1 this node.
    """

    pipeline: Pipeline
    one: Pod
    two: Pod
    rules: PolicyMaps
    addresses: IpcacheMaps

    def hold(
        self, pod: Pod, entries: Mapping[PolicyKey, PolicyEntry] | None = None, **flags: bool
    ) -> None:
        """Put a rule set in effect for a pod: flags are those of RuleSet."""
        slot = self.rules.slot(1000 + pod.number)
        self.call(self.rules.install, slot, RuleSet(entries or {}, **flags))

    def add(self, pod: Pod, identity: int) -> None:
        """Make a pod an endpoint of this identity, with the rule set that holds for the pod."""
        slot = self.rules.slot(1000 + pod.number)
        endpoint = evolve(pod.endpoint(identity), rule_set=slot)
        self.call(self.pipeline.engine.add_endpoint, endpoint)

    def ask(self, trunk: str, packet: Packet, pod: Pod | None = None) -> tuple[str, int]:
        """What becomes of a packet: "pass", "redirect" or the reason for its drop; the rule."""
        run, steps = self.pipeline.probe(trunk, bytes(packet), pod=pod)
        rules = [step.rule for step in steps if step.stage == "policy"]
        last = steps[-1]
        dropped = run.verdict.name == "DROP"
        answer = core_reasons()[last.reason].name if dropped else run.verdict.name.lower()
        return answer, rules[-1] if rules else 0

    def sent(self, packet: Packet) -> tuple[str, int]:
        """What becomes of a packet that the first pod sends."""
        return self.ask("from_pod", packet, self.one)

    def routed(self, packet: Packet) -> tuple[str, int]:
        """What becomes of a packet that the node's kernel routes to the second pod."""
        return self.ask("to_pod", packet, self.two)

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a function in the node."""
        return self.pipeline.node.call(function, *args, **kwargs)


def known_addresses(node: Node, pods: tuple[Pod, ...] = ()) -> dict[Any, Remote]:
    """What an agent writes to ipcache: its node, its pods, another node and a pod there."""
    known = {address: Remote(1) for address in node.addresses}
    known |= {a: Remote(1000 + pod.number) for pod in pods for a in pod.addresses}
    known |= {ip_address(a): Remote(REMOTE) for a in ("10.2.0.9", "fd00:10:2::9")}
    return known | {ip_address(a): Remote(OTHER_NODE) for a in ("172.31.0.2", "fd00:172::2")}


@contextmanager
def ruled_pair(toml: str = "", *others: EntryPoint) -> Iterator[Ruled]:
    """A ruled pair with these settings, and with these plugins beside tc."""
    names = ["tc", *(other.name for other in others)]
    with (
        Node() as node,
        Pipeline(node, names, toml, entry_points=lambda: [*entry_points(), *others]) as pipeline,
    ):
        assert pipeline.status("tc").startswith("on")
        rules = node.call(PolicyMaps.open, pipeline.datapath)
        addresses = node.call(IpcacheMaps.open, pipeline.datapath, rules.runtime)
        pods = node.add_pod(), node.add_pod()
        node.call(addresses.replace, known_addresses(node, pods))
        ruled = Ruled(pipeline, *pods, rules, addresses)
        for pod in pods:
            ruled.hold(pod)
            ruled.add(pod, 1000 + pod.number)
        yield ruled


@pytest.fixture(scope="session")
def new_ruled() -> Callable[..., AbstractContextManager[Ruled]]:
    """A ruled pair with settings and plugins of one's own: new_ruled("[tc]..."), a context."""
    return ruled_pair


@pytest.fixture(scope="session")
def ruled_of_the_session() -> Iterator[Ruled]:
    """The ruled pair, made once."""
    with ruled_pair() as ruled:
        yield ruled


@pytest.fixture
def ruled(ruled_of_the_session: Ruled) -> Ruled:
    """The ruled pair with empty rule sets, without flows, and no network known by name."""
    ruled = ruled_of_the_session
    ruled.hold(ruled.one)
    ruled.hold(ruled.two)
    ruled.call(ruled.addresses.replace_cidrs, {})
    ruled.call(ruled.pipeline.datapath.table("conntrack").clear)
    return ruled


@pytest.fixture(scope="session")
def tracked() -> Iterator[Tracking]:
    """The pipeline that all tests share, but for those of modules that make their own."""
    with Node() as node:
        made = Tracking(node)
        yield made
        made.close()


@pytest.fixture
def track(tracked: Tracking) -> Tracking:
    """The pipeline without any flow."""
    return tracked.reset()
