# SPDX-License-Identifier: Apache-2.0
"""Rows of events, and a cluster's directory, made by hand."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address

from axoneme.datapath import event_record
from axoneme.model import pack_address
from axoneme.model.labels import pod_labels
from axoneme.observe import Directory, Owner
from axoneme.observe.rows import RowLayout

DROP, PASS = 2, 1
WEB, CLIENT, OTHER = "10.0.0.1", "10.0.0.2", "10.0.1.1"
NODE, WORLD = "172.30.0.1", "203.0.113.10"
WEB_ID, CLIENT_ID, OTHER_ID = 300, 301, 302
TRUNKS = {0: "from_pod", 1: "to_pod"}


@cache
def layout():
    """The layout of a row."""
    return RowLayout.of(event_record())


def row(source=CLIENT, target=WEB, **fields):
    """A row with these fields: names without `packet.` and `tuple.`, and all others 0."""
    values = {"saddr": pack_address(source), "daddr": pack_address(target), "verdict": PASS}
    values |= {"kinds": 32, "proto": 6, "sport": 40000, "dport": 80, "family": 4} | fields
    data = bytearray(layout().size)
    for name, offset, size, kind in layout().fields:
        value = values.pop(name.removeprefix("packet.").removeprefix("tuple."), 0)
        order = "big" if kind == "be" else "little"
        data[offset : offset + size] = (
            value
            if value and kind == "bytes"
            else (bytes(size) if kind == "bytes" else value.to_bytes(size, order))
        )
    assert not values, f"no such fields: {values}"
    return bytes(data)


def owner(name, namespace, identity, **labels):
    """A pod of node1."""
    made = pod_labels(namespace, labels, {})
    return Owner(name, namespace, "node1", identity, made, endpoint=identity - 290)


def directory():
    """Two pods of a namespace, one of another, and a node."""
    made = Directory()
    made.put_pod(owner("web-1", "default", WEB_ID, app="web"), (ip_address(WEB),))
    made.put_pod(owner("client", "default", CLIENT_ID), (ip_address(CLIENT),))
    made.put_pod(owner("web-2", "shop", OTHER_ID, app="web"), (ip_address(OTHER),))
    made.replace_nodes([(Owner("node1", node="node1", identity=1), [ip_address(NODE)])])
    return made


def times(rows):
    """The times of rows, by which tests know them."""
    return [time for (time,) in layout().columns("time").each(bytes(rows))]
