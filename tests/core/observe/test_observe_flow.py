# SPDX-License-Identifier: Apache-2.0
"""Flows as people and programs read them: who, to whom, what became of it, and by whose word."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from attrs import evolve
from tests.core.observe.made import (
    CLIENT,
    CLIENT_ID,
    DROP,
    TRUNKS,
    WEB,
    WEB_ID,
    WORLD,
    layout,
    row,
)

from axoneme.cli._flow_views import CompactView, Ink, JsonView, TableView
from axoneme.model import pack_address
from axoneme.observe.flow import FlowReader
from axoneme.observe.lost import Lost, Source

NAMES = {
    ("party", pack_address(CLIENT).hex(), CLIENT_ID): [
        *("default", "client", "node1", CLIENT_ID),
        *(["k8s:app=client"], 11),
    ],
    ("party", pack_address(WEB).hex(), WEB_ID): ["shop", "web-1", "node1", WEB_ID, [], 10],
    ("party", pack_address(WEB).hex(), 0): ["shop", "web-1", "node1", WEB_ID, [], 10],
    ("party", pack_address("fd00:30::1").hex(), 1): ["", "node1", "node1", 1, [], 0],
    ("rule", 1): ["", "the pod's own node"],
    ("rule", 16): ["shop/web", "ingress[0]"],
    ("rule", 17): ["cnp shop/none", "egressDeny[1]"],
    ("reason", 133): ["policy_denied", "Policy denied", "core"],
    ("reason", 181): ["policy_deny", "Policy denied by denylist", "core"],
    ("reason", 1024): ["portguard_closed", "Port closed", "portguard"],
    ("device", 7): "axn1",
    ("denial", WEB_ID, 1): ["shop/web", "shop/all"],
}
SIDES = {"src_identity": CLIENT_ID, "dst_identity": WEB_ID}
EGRESS, INGRESS, OPENED, CLOSED, TRACE = 2, 4, 8, 16, 32
SECOND = 1_000_000_000
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "flows.md"


def flow(*places, names=NAMES, **fields):
    """The flow of a row."""
    reader = FlowReader.of(layout(), 1_800_000_000 * SECOND, TRUNKS)
    reader.learn(names)
    (made,) = reader.read(row(*places, **fields))
    return made


def compact(made):
    """Its compact line, without the time."""
    return CompactView(Ink(on=False)).flow(made).partition(": ")[2].rstrip("\n")


LOST = Lost(1_800_000_000 * SECOND, Source.RING_BUFFER, 7, "drop", 1)
CLIENT_SIDE, WEB_SIDE = "default/client:40000 (ID:301)", "shop/web-1:80 (ID:300)"
DENIED = {"kinds": 1 | EGRESS, "verdict": DROP, "conntrack": 1, **SIDES}


@pytest.mark.parametrize(
    ("made", "arrow", "line"),
    [
        (
            {"kinds": OPENED | TRACE, "tcp_flags": 2, "conntrack": 1},
            "->",
            "opened FORWARDED (TCP SYN)",
        ),
        ({"kinds": CLOSED, "proto": 17, "conntrack": 2}, "->", "closed FORWARDED (UDP)"),
        ({"kinds": TRACE, "tcp_flags": 17}, "<>", "trace FORWARDED (TCP FIN,ACK)"),
        (
            {"kinds": EGRESS | INGRESS | OPENED, "conntrack": 1, "ingress_rule": 16},
            "->",
            (
                "policy-verdict,opened FORWARDED (egress allowed, no policy selects it; "
                "ingress allowed by shop/web ingress[0]; TCP)"
            ),
        ),
        (
            {"kinds": INGRESS, "conntrack": 1, "ingress_rule": 1},
            "->",
            "policy-verdict FORWARDED (ingress allowed by the pod's own node; TCP)",
        ),
        (
            {"kinds": EGRESS, "egress_rule": 99},
            "<>",
            "policy-verdict FORWARDED (egress allowed by rule 99; TCP)",
        ),
        (
            DENIED | {"kinds": 1 | EGRESS | INGRESS, "reason": 133, "direction": 1, "tcp_flags": 2},
            "->",
            (
                "drop DROPPED (Policy denied; "
                "ingress denied, nothing in shop/web, shop/all allows it; TCP SYN)"
            ),
        ),
        (
            DENIED | {"reason": 181, "rule": 17, "proto": 17},
            "->",
            (
                "drop DROPPED (Policy denied by denylist; "
                "egress denied by cnp shop/none egressDeny[1]; UDP)"
            ),
        ),
        ({"kinds": 1, "verdict": DROP, "reason": 1024}, "<>", "drop DROPPED (Port closed; TCP)"),
        ({"kinds": 1, "verdict": DROP, "reason": 4711}, "<>", "drop DROPPED (4711; TCP)"),
    ],
)
def test_a_line_says_who_and_why(made, arrow, line):
    """With pods, identities, policies and rules, default denies too."""
    assert compact(flow(**SIDES | made)) == f"{CLIENT_SIDE} {arrow} {WEB_SIDE} {line}"


def test_the_line_of_a_reply_begins_with_who_opened_the_flow():
    """Its arrow points back."""
    sides = {"src_identity": WEB_ID, "dst_identity": CLIENT_ID, "sport": 80, "dport": 40000}
    reply = flow(WEB, CLIENT, conntrack=3, tcp_flags=0x12, **sides)
    assert compact(reply) == f"{CLIENT_SIDE} <- {WEB_SIDE} trace FORWARDED (TCP SYN,ACK)"


def test_what_is_outside_and_nodes_have_names_of_their_own():
    """An address of IPv6 is in brackets, ICMP has no ports."""
    made = flow(WORLD, WEB, src_identity=9, dst_identity=WEB_ID, conntrack=2)
    assert compact(made).startswith("203.0.113.10:40000 (world-ipv4) -> shop/web-1:80")
    made = flow("fd00::9", "fd00:30::1", dst_identity=1, src_identity=10, conntrack=2)
    assert compact(made).startswith("[fd00::9]:40000 (world-ipv6) -> node node1:80 (host) trace")
    made = flow(WORLD, WEB, proto=1, sport=8, dport=0, src_identity=9, dst_identity=WEB_ID)
    assert compact(made).startswith("203.0.113.10 (world-ipv4) <> shop/web-1 (ID:300)")
    assert compact(made).endswith("(ICMPv4 type 8 code 0)")


def test_a_name_that_is_learned_anew_counts_from_then_on():
    """For rows that are read later."""
    reader = FlowReader.of(layout(), 0, TRUNKS)
    reader.learn(NAMES)
    (before,) = reader.read(row(**SIDES))
    reader.learn({("party", pack_address(WEB).hex(), WEB_ID): ["b", "new", "", WEB_ID, [], 1]})
    (after,) = reader.read(row(**SIDES))
    assert [str(made.destination) for made in (before, after)] == ["shop/web-1", "b/new"]


def test_json_has_all_that_is_known():
    """By names that stay."""
    fields = {"kinds": 1 | EGRESS | INGRESS, "verdict": DROP, "reason": 133, "conntrack": 1}
    fields |= {"direction": 1, "trunk": 1, "tcp_flags": 2, "ifindex": 7, "len": 74, "cpu": 1}
    made = flow(time=SECOND + 1500, **fields, **SIDES)
    assert json.loads(JsonView("node1").flow(made)) == {
        "time": "2027-01-15T08:00:01.000001500Z",
        "node": "node1",
        "type": "drop",
        "kinds": ["drop", "egress-verdict", "ingress-verdict"],
        "verdict": "DROPPED",
        "reason": {
            "number": 133,
            "name": "policy_denied",
            "text": "Policy denied",
            "owner": "core",
        },
        "source": {
            "address": CLIENT,
            "port": 40000,
            "identity": CLIENT_ID,
            "labels": ["k8s:app=client"],
            "namespace": "default",
            "pod": "client",
            "node": "node1",
        },
        "destination": {
            "address": WEB,
            "port": 80,
            "identity": WEB_ID,
            "labels": [],
            "namespace": "shop",
            "pod": "web-1",
            "node": "node1",
        },
        "ip_version": 4,
        "protocol": "TCP",
        "tcp_flags": ["SYN"],
        "icmp": None,
        "length": 74,
        "direction": "ingress",
        "egress": {"verdict": "allowed", "policies": [], "rule": ""},
        "ingress": {"verdict": "denied", "policies": ["shop/web", "shop/all"], "rule": ""},
        "conntrack": "new",
        "is_reply": False,
        "trunk": "to_pod",
        "device": "axn1",
        "cpu": 1,
    }


def documented():
    """The fields that the page has, by their dotted names."""
    for line in PAGE.read_text().splitlines():
        if line.startswith("| `"):
            yield from re.findall(r"`([^`]+)`", line.split("|")[1])


def names(value, prefix=""):
    """The dotted names of an object's fields."""
    for name, inner in value.items():
        yield f"{prefix}{name}"
        if isinstance(inner, dict):
            yield from names(inner, f"{prefix}{name}.")


def test_all_fields_of_json_are_documented():
    """And no other; two sides, and two directions, have the same fields."""
    fields = {"kinds": 1 | EGRESS | INGRESS, "verdict": DROP, "reason": 133, "conntrack": 1}
    lines = [
        JsonView("n").flow(flow(**fields, **SIDES)),
        JsonView("n").flow(flow(proto=1, family=4)),
        JsonView("n").lost(LOST),
    ]
    found = {name for line in lines for name in names(json.loads(line))} - {"lost"}
    found = {name for name in found if not re.match(r"(destination|ingress)\.", name)}
    assert found == set(documented())


def test_json_of_icmp_has_type_and_code_for_ports():
    """And says nothing of a reply where nobody tracks."""
    made = json.loads(JsonView("n").flow(flow(proto=58, sport=128, dport=3, family=6)))
    assert made["icmp"] == {"type": 128, "code": 3}
    assert made["source"]["port"] is None
    assert made["is_reply"] is None


def test_a_loss_is_a_line_of_its_own():
    """In every format."""
    assert "EVENTS LOST: RING_BUFFER CPU(1) 7 drop\n" in CompactView(Ink(on=False)).lost(LOST)
    assert "EVENTS LOST: RING_BUFFER CPU(1) 7 drop\n" in TableView(Ink(on=False)).lost(LOST)
    slow = evolve(LOST, source=Source.MONITOR, type=None, cpu=None)
    assert CompactView(Ink(on=False)).lost(slow).endswith(": EVENTS LOST: MONITOR 7\n")
    limited = evolve(LOST, source=Source.RATE_LIMIT)
    assert "EVENTS LIMITED: RATE_LIMIT CPU(1) 7 drop\n" in CompactView(Ink(on=False)).lost(limited)
    assert json.loads(JsonView("node1").lost(LOST)) == {
        "time": "2027-01-15T08:00:00.000000000Z",
        "node": "node1",
        "lost": {"source": "ring-buffer", "count": 7, "type": "drop", "cpu": 1},
    }


def test_columns_of_a_table_stand_below_their_names():
    """Coloured or not."""
    made = flow(kinds=TRACE, **SIDES)
    plain, bright = TableView(Ink(on=False)), TableView(Ink(on=True))
    head, line = plain.head(), plain.flow(made)
    assert line.index("default/client:40000") == head.index("SOURCE")
    assert line.index("shop/web-1:80") == head.index("DESTINATION")
    assert line.index("FORWARDED") == head.index("VERDICT")
    assert re.sub(r"\x1b\[\d+m", "", bright.flow(made)) == line


def test_colours_are_there_when_they_are_wanted():
    """A drop is red."""
    made = flow(kinds=1, verdict=DROP, reason=133, **SIDES)
    assert "\x1b[31mDROPPED\x1b[0m" in CompactView(Ink(on=True)).flow(made)
    assert "\x1b" not in CompactView(Ink(on=False)).flow(made)
