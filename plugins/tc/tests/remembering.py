# SPDX-License-Identifier: Apache-2.0
"""Verdicts on sockets: who went the whole way between two pods, and who was recalled.

A plugin beside tc counts the packets that go the whole way; all that the trunk redirects less those
were recalled. Its lanes say AXN_PER_FLOW, since any other would keep tc from recalling anything.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import define, frozen

from axoneme.datapath import Verdict
from axoneme.testing import fake_plugin, plugin_codec, plugin_object
from axoneme_tc import _codec

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from importlib.metadata import EntryPoint

    from plugins.tc.tests.conftest import Ruled

#: Longer than any test: what is not recalled then has another reason.
LONG = """
[tc]
socket-cache-lease = "5m"
socket-cache-after = {after}
bpf-ct-timeout-regular-tcp-syn = "10m"
bpf-ct-timeout-regular-tcp-fin = "10m"
bpf-ct-timeout-regular-any = "10m"
bpf-ct-timeout-regular-any-unreplied = "10m"
"""
COUNT = """
    #include <axoneme/plugin.h>

    AXN_MAP(ARRAY, count_whole, 1, __u32, __u64);

    AXN_STAGE({stage}, {tags})
    {{
        __u32 first = 0;
        __u64 *packets = bpf_map_lookup_elem(&count_whole, &first);

        {more}

        if (packets && packet->out_ifindex && !(packet->flags & AXN_PROBE))
            __sync_fetch_and_add(packets, 1);
        return AXN_NEXT;
    }}
"""


def counting(*, tags: str = "AXN_PER_FLOW", stage: str = "remember", more: str = "") -> Any:
    """The object of the plugin that counts."""
    return plugin_object(COUNT.format(tags=tags, stage=stage, more=more), "count")


@frozen
class Seen:
    """Packets that our programs sent on: those that were recalled, and those that were not."""

    recalled: int
    whole: int


@define
class Remembering:
    """A ruled pair, and what of its traffic was recalled."""

    ruled: Ruled
    _counts: Any

    def counts(self) -> tuple[int, int]:
        """Packets redirected, and those that went the whole way."""
        counts = self.ruled.call(self.ruled.pipeline.datapath.counts)
        redirected = sum(
            c.packets for c in counts if c.verdict is Verdict.REDIRECT and c.trunk == "from_pod"
        )
        return redirected, self._counts[0]

    def during(self, act: Callable[[], object]) -> Seen:
        """What of the traffic between the pods was recalled while something was done."""
        redirected, whole = self.counts()
        act()
        after, whole_after = self.counts()
        whole = whole_after - whole
        return Seen(after - redirected - whole, whole)

    def kept(self, socket: socket.socket) -> dict[str, Any] | None:
        """What a socket keeps."""
        table = self.ruled.pipeline.datapath.table("tc_remembered", _codec)
        found: dict[str, Any] | None = table.get(socket.fileno())
        return found

    def dropped(self, act: Callable[[], object]) -> dict[str, int]:
        """Packets dropped by reason while something was done."""
        before = self.ruled.pipeline.drop_reasons()
        act()
        after = self.ruled.pipeline.drop_reasons()
        return {n: c - before.get(n, 0) for n, c in after.items() if c != before.get(n, 0)}


@contextmanager
def remembering(
    new_ruled: Any, toml: str = "", *beside: EntryPoint, after: int = 0, **how: str
) -> Iterator[Any]:
    """Two pods whose flows are remembered as soon as may be, unless said otherwise."""
    objects = counting(**how)
    text = toml or LONG.format(after=after)
    with new_ruled(text, fake_plugin("count", objects), *beside) as ruled:
        assert ruled.pipeline.status("count") == "on"
        counts = ruled.pipeline.datapath.table("count_whole", plugin_codec(objects))
        yield Remembering(ruled, counts)


def send(source: socket.socket, to: socket.socket, address: tuple[Any, ...], times: int) -> None:
    """Send so many datagrams, each when the one before has arrived."""
    for number in range(times):
        source.sendto(b"%d" % number, address)
        assert to.recv(100) == b"%d" % number
