# SPDX-License-Identifier: Apache-2.0
"""The race of packets and collector: nobody loses a flow that is alive, or takes another's.

The plugin's own sources run with a clock that is 524,288 times faster and flows that last 51 µs;
each freed element is another flow's at once, which is the worst that can happen.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import frozen

import axoneme_tc
from axoneme.datapath import Runtime
from axoneme.datapath.collector import Collector
from axoneme.datapath.conntrack import Grant, read_flows
from axoneme.datapath.testruns import run_tc
from axoneme.testing import Node, fake_plugin, plugin_codec, plugin_object, scaled
from axoneme.testing.packets import UDP, Ethernet, IPv4
from axoneme.testing.pipelines import Pipeline

if TYPE_CHECKING:
    from axoneme import PluginObject

SOURCES = Path(axoneme_tc.__file__).parent / "bpf"
HAMMER = Path(__file__).parent / "bpf"
LASTING = 200  # units of 256 ns
SECONDS = 3.0
CHURN_RULE = 0xFFFFF
REPEAT = 20_000
PACKET = bytes(Ethernet() / IPv4("10.0.0.1", "10.0.0.2") / UDP(1, 60000))
ENTRIES = "[agent.map-entries]\nconntrack = 8192\n"

UNUSED = '#pragma clang diagnostic ignored "-Wunused-function"'  # they are no headers' here
CLOCK = """
AXN_KNOB(__u64, tc_hammer_base, 0, "when the test began");
#define HAMMER_NOW ((bpf_ktime_get_ns() - tc_hammer_base) >> 8)
"""
#: The collector reads the clock for each entry, and gives the freed element to another flow.
CHURN = f"""
static __always_inline void churn(struct tc_collect_round *round)
{{
    const struct runtime *present = runtime_read();
    struct tuple key = {{ .sport = round->deleted & 0xfff, .proto = IPPROTO_UDP }};
    struct conntrack_entry entry = {{}};
    __u64 hash;

    if (!present)
        return;
    key.daddr.word[3] = 1;
    hash = hash_of(&key, present->seed);
    entry.word = word_of(HAMMER_NOW + {LASTING}, 0, hash);
    entry.granted[AXN_EGRESS] = grant_of(1, {CHURN_RULE}, grant_cookie(hash, false));
    entry.granted[AXN_INGRESS] = entry.granted[AXN_EGRESS];
    bpf_map_update_elem(&conntrack, &key, &entry, BPF_NOEXIST);
}}
"""
NOW = "static __always_inline __u32 conntrack_now(void)"
COLLECT = "static __always_inline void collect_one("
#: What happens between the look and the deed; a wider window shows a weak protocol sooner.
WINDOW = "for (__u32 turn = 0; turn < 4000; turn++) barrier();"


def source(*names: str) -> str:
    """Sources one behind the other, each with its own headers in it where it has them first.

    What is compiled is cached by its text, so that all of it must be there.
    """
    seen: set[str] = set()

    def inline(path: Path) -> str:
        seen.add(path.name)
        return "\n".join(put(line) for line in path.read_text().splitlines())

    def put(line: str) -> str:
        if line == "#pragma once":
            return ""
        if not line.startswith('#include "'):
            return line
        header = SOURCES / line.split('"')[1]
        return "" if header.name in seen else inline(header)

    paths = (folder / name for name in names for folder in (SOURCES, HAMMER))
    return "\n".join([UNUSED, *(inline(path) for path in paths if path.exists())])


def replaced(text: str, old: str, new: str) -> str:
    """The text with one place changed."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


def objects(collector: str, track: str) -> tuple[PluginObject, PluginObject]:
    """Track with the hammer around it, and a collector."""
    base = time.monotonic_ns()
    timeouts = dict.fromkeys(("tc_timeout_any", "tc_timeout_any_new"), LASTING)
    knobs = {"tc_hammer_base": base, "tc_hammer_lasting": LASTING, **timeouts}
    return (
        plugin_object(track, "track", knobs=knobs),
        plugin_object(collector, "collect", knobs={"tc_hammer_base": base}),
    )


def tracker() -> str:
    """The text of track, with the hammer around it."""
    return source("hammer.h", "track.bpf.c", "hammer.c")


def collector() -> str:
    """The collector's text with the fast clock and the churn."""
    text = source("conntrack_key.h", "collect.bpf.c")
    text = replaced(text, "bpf_jiffies64() >> CONNTRACK_UNIT_SHIFT", "HAMMER_NOW")
    text = replaced(text, NOW, f"{CLOCK}{NOW}")
    text = replaced(text, "\t\tround->deleted++;", "\t\t{ round->deleted++; churn(round); }")
    return replaced(text, COLLECT, f"{CHURN}{COLLECT}")


@frozen
class Outcome:
    """What the hammer counted, and what was in the map in the end."""

    packets: int
    known: int
    lost: int
    wrong: int
    deleted: int
    foreign: int


def hammer(collecting: str, tracking: str, seconds: float) -> Outcome:
    """Two CPUs send packets while one of them collects."""
    parts = objects(collecting, tracking)
    plugin = fake_plugin("tc", *parts)
    with Node() as node, Pipeline(node, ["tc"], ENTRIES, entry_points=lambda: [plugin]) as pipeline:
        assert pipeline.status("tc") == "on"
        datapath = pipeline.datapath
        Runtime.open(datapath).put(generation=1, seed=0x5EED)
        run = Run(pipeline, Collector.of(datapath), time.monotonic() + seconds)
        with ThreadPoolExecutor(2) as pool:
            works = [pool.submit(run.send), pool.submit(run.send_and_collect)]
            for work in works:
                work.result()
        counts = datapath.table("tc_hammer_counts", plugin_codec(parts[0]))[0]
        total = {name: sum(count[name] for count in counts) for name in counts[0]}
        return Outcome(
            total["packets"],
            total["known"],
            total["lost"],
            total["wrong"],
            run.deleted,
            foreign(pipeline),
        )


class Run:
    """One run of the hammer, until its time is up."""

    def __init__(self, pipeline: Pipeline, collector: Collector | None, end: float) -> None:
        assert collector is not None
        self.program = pipeline.datapath.assembly.programs["from_pod"].fd
        self.collector, self.end, self.deleted = collector, end, 0

    def send(self) -> None:
        """Send packets from the first CPU."""
        os.sched_setaffinity(threading.get_native_id(), {0})
        while time.monotonic() < self.end:
            run_tc(self.program, PACKET, repeat=REPEAT)

    def send_and_collect(self) -> None:
        """Send packets from the second CPU, and collect in between."""
        os.sched_setaffinity(threading.get_native_id(), {1})
        while time.monotonic() < self.end:
            self.deleted += self.collector.collect().deleted
            run_tc(self.program, PACKET, repeat=REPEAT // 10)
        self.collector.close()


def foreign(pipeline: Pipeline) -> int:
    """Entries that have another flow's rule."""
    found = 0
    for flow in read_flows(pipeline.datapath.table("conntrack")):
        if flow.proto == 17 and 60000 in (flow.sport, flow.dport):
            number = min(flow.sport, flow.dport) - 1
            found += flow.egress not in (Grant(1, 16 + number), Grant(0, 0))
    return found


pytestmark = pytest.mark.skipif(
    not {0, 1} <= os.sched_getaffinity(0), reason="two CPUs race, and there is one"
)


#: Where a look ends and a deed follows, and what to put between them.
TAKES, MOVES = "else if (take_out(", "	return swap(&entry->word, word, word_of(now"


@pytest.mark.parametrize("window", ["", WINDOW], ids=["as it is", "with a wider window"])
def test_no_flow_is_lost_and_none_is_taken_for_another(window):
    """While flows expire and elements are reused as fast as can be."""
    outcome = hammer(
        replaced(collector(), TAKES, f"else if (({{ {window} 1; }}) && take_out("),
        replaced(tracker(), MOVES, f"	{window}\n{MOVES}"),
        scaled(SECONDS),
    )
    assert outcome.deleted > 1000
    assert outcome.known > 1000
    assert (outcome.lost, outcome.wrong, outcome.foreign) == (0, 0, 0)


def test_the_hammer_finds_what_a_weak_collector_loses():
    """One that looks and then deletes, without the swap, loses flows: the test above can fail."""
    late = f"""
    static __always_inline long delete_late(struct tuple *key)
    {{
        {WINDOW}
        return bpf_map_delete_elem(&conntrack, key);
    }}
    """
    weak = replaced(collector(), "take_out(entry, &key, word))", "!delete_late(&key))")
    weak = replaced(weak, COLLECT, f"{late}{COLLECT}")
    assert any(hammer(weak, tracker(), scaled(SECONDS)).lost for _ in range(3))
