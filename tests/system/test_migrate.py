# SPDX-License-Identifier: Apache-2.0
"""Maps that change their layout, up and down, while packets flow: rows go along."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from socket import SOCK_DGRAM
from typing import TYPE_CHECKING

import pytest
from tests.system.flows import flows, key, known, word
from tests.system.traffic import PORT, Sender, listen

from axoneme.datapath import LibbpfLoader, LoadRequest, Table
from axoneme.datapath._convert import layout_from
from axoneme.datapath.attachments import TcxAttachment
from axoneme.datapath.pins import pin
from axoneme.errors import AttachError
from axoneme.testing import compile_text, scaled
from axoneme_sdk.declarations import Declarations

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.rig import Rig

    from axoneme.testing import Pod

WAYS = [pytest.param(1, 2, id="up"), pytest.param(2, 1, id="down")]


class Stream:
    """Datagrams from one pod to another, counted at both ends while they come."""

    def __init__(self, one: Pod, two: Pod) -> None:
        self._listener = listen(two)
        self._source = one.socket(kind=SOCK_DGRAM)
        self._sender = Sender(self._source, (str(two.ipv4), PORT))
        self._came = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._sender.start()

    def _read(self) -> None:
        self._listener.settimeout(scaled(1.0))
        try:
            while self._listener.recv(64):
                self._came += 1
        except TimeoutError:
            pass

    @property
    def came(self) -> int:
        """How many have arrived by now."""
        return self._came

    def lost(self) -> int:
        """End it: how many of them all did not arrive."""
        sent = self._sender.end()
        self._reader.join()
        self._source.close()
        self._listener.close()
        assert sent > 0
        return sent - self._came


def rows(rig: Rig, layout: int) -> dict[int, dict[str, int]]:
    """The rows of the map in a layout, by the port of their key."""
    return {k["port"]: v for k, v in rig.call(known(rig, layout).read)}


def ports(rig: Rig, layout: int) -> set[int]:
    """The ports of the flows that a test has written."""
    return {port for port in rows(rig, layout) if port < 100}


def pins(rig: Rig) -> set[str]:
    """The pins of the plugin's map."""
    return {name for name in rig.maps() if name.startswith("flows_")}


@pytest.fixture
def at_first_place(
    monkeypatch: pytest.MonkeyPatch, require_feature: Callable[[str], None]
) -> Callable[[Callable[[], None]], None]:
    """A function that has another one called when a swap has updated its first place."""
    require_feature("tcx")
    attach = TcxAttachment.attach

    def set_up(function: Callable[[], None]) -> None:
        waiting = [function]

        def attach_and_call(self: TcxAttachment, program: int) -> None:
            attach(self, program)
            if waiting:
                waiting.pop()()

        monkeypatch.setattr(TcxAttachment, "attach", attach_and_call)

    return set_up


@pytest.mark.parametrize(("old", "new"), WAYS)
def test_no_packet_of_a_known_flow_is_lost_when_the_layout_changes(
    rig: Rig, old: int, new: int
) -> None:
    """The new programs drop what they do not know, and nothing is dropped."""
    rig.put(flows=flows(old))
    stream = Stream(rig.add_pod(), rig.add_pod())
    while not stream.came:
        pass
    swap = rig.put(flows=flows(new, begin=False))
    assert [(c.map, c.source, c.target, c.problem) for c in swap.carried] == [
        ("flows_known", old, new, "")
    ] * 2
    assert stream.lost() == 0
    assert rig.dropped("flows_unknown") == 0
    assert pins(rig) == {f"flows_known_v{new}"}


@pytest.mark.parametrize(("old", "new"), WAYS)
def test_rows_keep_what_both_layouts_have(rig: Rig, old: int, new: int) -> None:
    """By name, wherever the field is and however wide; what is new is zero."""
    rig.put(flows=flows(old))
    rig.call(known(rig, old).write, [(key(1), {"word": word(3), "packets": 4, **_rest(old)})])
    rig.put(flows=flows(new))
    assert rows(rig, new) == {1: {"word": word(3), "packets": 4} | dict.fromkeys(_rest(new), 0)}


def _rest(layout: int) -> dict[str, int]:
    return {"once": 5} if layout == 1 else {"added": 6, "more": 7}


def test_a_number_that_does_not_fit_leaves_its_row_behind(rig: Rig) -> None:
    """It is counted, and all others are carried."""
    rig.put(flows=flows(2))
    fitting = [(key(n), {"word": word(n), "packets": n, **_rest(2)}) for n in (1, 2)]
    wide = (key(3), {"word": word(3), "packets": 1 << 32, **_rest(2)})
    rig.call(known(rig, 2).write, [*fitting, wide])
    swap = rig.put(flows=flows(1))
    assert str(swap.carried[0]) == (
        "map flows_known, layout 2 to 1: 2 rows carried; 1 that do not fit are left behind"
    )
    assert ports(rig, 1) == {1, 2}


def _row(time: int, packets: int = 1) -> dict[str, int]:
    return {"word": word(time), "packets": packets, "once": 0}


def test_what_old_programs_write_during_the_swap_is_carried(
    rig: Rig, at_first_place: Callable[[Callable[[], None]], None]
) -> None:
    """A flow that begins and one that goes on, when some places have the new programs already."""
    rig.put(flows=flows(1))
    rig.add_pod()
    table = known(rig, 1)
    rig.call(table.write, [(key(1), _row(10))])
    at_first_place(lambda: table.write([(key(1), _row(11, 2)), (key(2), _row(11, 3))]) and None)
    rig.put(flows=flows(2))
    found = rows(rig, 2)
    assert {n: (found[n]["word"], found[n]["packets"]) for n in (1, 2)} == {
        1: (word(11), 2),
        2: (word(11), 3),
    }


def test_what_new_programs_wrote_is_not_overwritten_by_what_is_older(
    rig: Rig, at_first_place: Callable[[Callable[[], None]], None]
) -> None:
    """The row that was seen last counts, whichever side it is on."""
    rig.put(flows=flows(1))
    rig.add_pod()

    def write() -> None:
        known(rig, 1).write([(key(1), _row(11)), (key(2), _row(14))])
        new = {"packets": 9, "added": 9, "more": 9}
        known(rig, 2).write([(key(n), {"word": word(12), **new}) for n in (1, 2)])

    at_first_place(write)
    rig.put(flows=flows(2))
    found = rows(rig, 2)
    assert (found[1]["word"], found[1]["added"]) == (word(12), 9)
    assert (found[2]["word"], found[2]["added"]) == (word(14), 0)


def test_a_row_that_is_leaving_stays_behind(rig: Rig) -> None:
    """Nobody would ever remove it from the new map."""
    rig.put(flows=flows(1))
    rig.call(known(rig, 1).write, [(key(1), _row(0)), (key(2), _row(1))])
    rig.put(flows=flows(2))
    assert ports(rig, 2) == {2}


def test_a_swap_that_fails_gives_back_what_new_programs_wrote(
    rig: Rig, at_first_place: Callable[[Callable[[], None]], None]
) -> None:
    """The old programs know the flows that began under the new ones, and the new map is gone."""
    rig.put(flows=flows(1))
    rig.add_pod()
    gone = rig.add_pod()
    gone.close()
    value = {"word": word(9), "packets": 1, "added": 0, "more": 0}
    at_first_place(lambda: known(rig, 2).write([(key(1), value)]) and None)
    with pytest.raises(AttachError):
        rig.put(flows=flows(2))
    assert ports(rig, 1) == {1}
    assert pins(rig) == {"flows_known_v1"}
    rig.call(rig.datapath.remove_endpoint, gone.number)


@pytest.mark.parametrize(("old", "new"), WAYS)
def test_no_packet_is_lost_by_an_agent_of_another_layout(rig: Rig, old: int, new: int) -> None:
    """Its first commit has no pods yet: their programs go on with the old map until it has."""
    rig.put(flows=flows(old))
    one, two = rig.add_pod(), rig.add_pod()
    stream = Stream(one, two)
    while not stream.came:
        pass
    rig.call(rig.datapath.close)
    rig.open()
    rig.put(flows=flows(new, begin=False))
    assert pins(rig) == {"flows_known_v1", "flows_known_v2"}
    rig.attach(one, two)
    rig.call(rig.datapath.forget_others)
    assert stream.lost() == 0
    assert rig.dropped("flows_unknown") == 0
    assert pins(rig) == {f"flows_known_v{new}"}


@pytest.mark.parametrize("places", [0, 1, 4], ids=["filled", "half", "attached"])
@pytest.mark.parametrize("last", [2, 1], ids=["again", "back"])
def test_an_agent_that_was_killed_in_the_middle_is_finished_by_the_next(
    rig: Rig, places: int, last: int, require_feature: Callable[[str], None]
) -> None:
    """By the same one that starts again, and by the older one: nothing is lost, one map is left."""
    require_feature("tcx")
    rig.put(flows=flows(1))
    one, two = rig.add_pod(), rig.add_pod()
    stream = Stream(one, two)
    while not stream.came:
        pass
    rig.call(rig.datapath.close)
    die(rig, 2, places, one, two)
    assert pins(rig) == {"flows_known_v1", "flows_known_v2"}
    rig.open()
    rig.put(flows=flows(last, begin=False))
    rig.attach(one, two)
    rig.call(rig.datapath.forget_others)
    assert stream.lost() == 0
    assert rig.dropped("flows_unknown") == 0
    assert pins(rig) == {f"flows_known_v{last}"}


def die(rig: Rig, layout: int, places: int, *pods: Pod) -> None:
    """Start an agent that is killed when so many places have its programs."""
    words = [sys.executable, "-m", "tests.system.dying", rig.node.bpffs, str(layout), str(places)]
    endpoints = pickle.dumps([pod.endpoint(1000 + pod.number) for pod in pods])
    with rig.node.popen(words, stdin=subprocess.PIPE) as process:
        process.communicate(endpoints)
    assert process.returncode == -signal.SIGKILL


CONNTRACK = """
    #include <axoneme/abi.h>

    struct conntrack_entry {
        __u64 word;
        __u32 src_identity;
        __u32 later;
        __u64 granted[2];
    };

    struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 64);
        __type(key, struct tuple);
        __type(value, struct conntrack_entry);
    } conntrack SEC(".maps");
"""
ENDPOINTS = """
    #include <axoneme/abi.h>

    struct endpoint { __u32 id; __u32 identity; __u32 ifindex; __u32 flags; __u8 mac[6];
                      __u8 node_mac[6]; __u32 reserved; };

    struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 64);
        __type(key, union address);
        __type(value, struct endpoint);
    } endpoints SEC(".maps");
"""
UNTYPED = """
    #include <axoneme/abi.h>

    struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 64);
        __uint(key_size, 40);
        __uint(value_size, 40);
    } conntrack SEC(".maps");
"""


def pin_map(rig: Rig, name: str, layout: int, text: str) -> Table | None:
    """Pin a map as a core of another version has left it."""
    path = compile_text(text, name)
    data = path.read_bytes()
    loaded = LibbpfLoader().load(LoadRequest(name, data, {}, {}))
    fd = loaded.maps[name].fd
    rig.call(pin, fd, rig.datapath.pins.layout_path(name, layout))
    found = Declarations.read(data)
    (one,) = (m.definition for m in found.maps)
    table = None
    if one.key:
        table = Table(os.dup(fd), layout_from(found.btf, name, layout, one.key, one.value))
    loaded.close()
    return table


def tuple_of(number: int, reversed_: int) -> dict[str, object]:
    """A key of conntrack, with the bit that stands in its padding."""
    addresses = {"saddr": bytes(15) + b"\1", "daddr": bytes(15) + b"\2"}
    pad = bytes([reversed_, 0, 0])
    return {**addresses, "sport": number, "dport": 80, "proto": 6, "pad": pad}


def test_connections_are_carried_from_another_core(rig: Rig) -> None:
    """Word, grants and identity by their names, and the whole key; what is leaving is not."""
    table = pin_map(rig, "conntrack", 9, CONNTRACK)
    value = {"src_identity": 5, "later": 8, "granted[0]": 6, "granted[1]": 7}
    rows = [(tuple_of(n, n), {**value, "word": word(n)}) for n in (0, 1)]
    table.write(rows)
    rig.put()
    ((found, entry),) = rig.call(rig.datapath.table("conntrack").read)
    assert (found["sport"], entry["word"], entry["src_identity"]) == (1, word(1), 5)
    assert (entry["granted[0]"], entry["granted[1]"]) == (6, 7)
    (packed,) = (keys for keys, _ in rig.call(rig.datapath.table("conntrack").read).batches())
    assert packed[37] == 1


def test_endpoints_are_there_before_the_first_program_of_a_new_layout(
    rig: Rig, at_first_place: Callable[[Callable[[], None]], None]
) -> None:
    """No packet meets an empty map while the agent has not yet come to its pods."""
    table = pin_map(rig, "endpoints", 1, ENDPOINTS)
    row = {"id": 3, "identity": 4, "ifindex": 5, "flags": 0, "reserved": 0}
    macs = {"mac": b"\2" * 6, "node_mac": b"\3" * 6}
    table.write([(bytes(15) + b"\1", row | macs)])
    found: list[int] = []
    at_first_place(lambda: found.extend(v["id"] for _, v in rig.datapath.table("endpoints").read()))
    rig.put()
    pod = rig.add_pod()
    assert found == [3]
    rig.call(rig.datapath.forget_others)
    ids = {v["id"] for _, v in rig.call(rig.datapath.table("endpoints").read)}
    assert ids == {pod.number}
    assert {"endpoints_v1"} & rig.maps() == set()


def test_a_map_without_types_is_named_and_nothing_else_is_disturbed(rig: Rig) -> None:
    """Its rows cannot be read by name: the new map begins empty."""
    pin_map(rig, "conntrack", 9, UNTYPED)
    swap = rig.put()
    assert {str(carried) for carried in swap.carried} == {
        "map conntrack, layout 9 to 2: its rows are not carried: layout 9 came without types"
    }
    assert len(rig.call(rig.datapath.table("conntrack").read)) == 0


RUNTIME = """
    #include <axoneme/abi.h>

    struct runtime { __u64 other; __u32 seed; __u32 generation; };

    struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __type(key, __u32);
        __type(value, struct runtime);
    } runtime SEC(".maps");
"""


def test_the_seed_of_cookies_is_carried_before_a_new_one_is_made(rig: Rig) -> None:
    """With another seed no entry of conntrack would be known any more."""
    table = pin_map(rig, "runtime", 9, RUNTIME)
    table.write([(0, {"other": 1, "seed": 1234, "generation": 77})])
    rig.put()
    row = rig.call(rig.datapath.table("runtime").get, 0)
    assert (row["seed"], row["generation"]) == (1234, 78)  # the next: programs were swapped


def test_what_is_carried_at_the_end_of_a_start_is_told(rig: Rig) -> None:
    """When the last endpoint has the new programs, and the old map goes."""
    rig.put(flows=flows(1))
    pod = rig.add_pod()
    rig.call(rig.datapath.close)
    rig.open()
    rig.put(flows=flows(2))
    rig.attach(pod)
    rig.call(rig.datapath.forget_others)
    assert [(c.map, c.source, c.target) for c in rig.datapath.carried] == [("flows_known", 1, 2)]
