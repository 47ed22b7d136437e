# SPDX-License-Identifier: Apache-2.0
"""Events are chosen by the words that people use, and words that mean nothing are refused."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from tests.core.observe.made import (
    CLIENT,
    CLIENT_ID,
    DROP,
    NODE,
    OTHER,
    WEB,
    WEB_ID,
    WORLD,
    directory,
    owner,
    row,
    times,
)

from axoneme.errors import AxonemeError
from axoneme.observe.choice import Chooser, parse_choice
from axoneme.observe.lost import TYPE_NAMES

REASONS = {"policy_denied": 133, "invalid_source_ip": 132}
#: From client to web, back, from web to another namespace, from the world to a node, and a drop.
ROWS = b"".join(
    (
        row(CLIENT, WEB, time=1, kinds=4 | 8, src_identity=CLIENT_ID, dst_identity=WEB_ID),
        row(WEB, CLIENT, time=2, sport=80, dport=40000, src_endpoint=10),
        row(WEB, OTHER, time=3, proto=17, dport=53, kinds=16),
        row(WORLD, NODE, time=4, proto=1, sport=8, dport=0, src_identity=9),
        row(CLIENT, OTHER, time=5, kinds=1 | 4, verdict=DROP, reason=133, dport=443),
        row("fd00::5", "fd00::6", time=6, family=6, proto=58, sport=128, dport=0),
    )
)


def chosen(**words):
    """The rows that are chosen by these words, which may be a single one."""
    asked = {name: [v] if isinstance(v, str | int) else v for name, v in words.items()}
    chooser = Chooser(parse_choice(asked), directory(), lambda: REASONS)
    return times(chooser.choose(ROWS))


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"pod": "default/web-1"}, [1, 2, 3]),
        ({"pod": "web"}, [1, 2, 3, 5]),
        ({"pod": ["default/client", "shop/web-2"]}, [1, 2, 3, 5]),
        ({"pod": "web-1", "verdict": "dropped"}, []),
        ({"from_pod": "client"}, [1, 5]),
        ({"to_pod": "client"}, [2]),
        ({"from_pod": "web", "to_pod": "web"}, [3]),
        ({"namespace": "shop"}, [3, 5]),
        ({"namespace": ["shop", "default"]}, [1, 2, 3, 5]),
        ({"from_namespace": "default", "to_namespace": "shop"}, [3, 5]),
        ({"from_namespace": "shop"}, []),
        ({"label": "app=web"}, [1, 2, 3, 5]),
        ({"label": "k8s:app"}, [1, 2, 3, 5]),
        ({"from_label": "app=web"}, [2, 3]),
        ({"to_label": "app=web", "from_pod": "client"}, [1, 5]),
        ({"identity": str(WEB_ID)}, [1, 2, 3]),
        ({"identity": "host"}, [4]),
        ({"identity": "reserved:host"}, [4]),
        ({"to_identity": "Host"}, [4]),
        ({"from_identity": "host"}, []),
        ({"identity": "world-ipv4"}, [4]),
        ({"ip": WORLD}, [4]),
        ({"ip": "10.0.1.0/24"}, [3, 5]),
        ({"ip": "fd00::/64"}, [6]),
        ({"from_ip": "fd00::5"}, [6]),
        ({"to_ip": "fd00::5"}, []),
        ({"from_ip": CLIENT, "ip": OTHER}, [5]),
        ({"ip": "0.0.0.0/0"}, [1, 2, 3, 4, 5]),
        ({"port": 80}, [1, 2]),
        ({"port": [53, 443]}, [3, 5]),
        ({"port": 8}, []),
        ({"from_port": 80}, [2]),
        ({"to_port": [80, 443]}, [1, 5]),
        ({"to_port": 0}, []),
        ({"protocol": "TCP"}, [1, 2, 5]),
        ({"protocol": ["icmp", "udp"]}, [3, 4, 6]),
        ({"protocol": ["17", "1"]}, [3, 4]),
        ({"protocol": "47"}, []),
        ({"verdict": "dropped"}, [5]),
        ({"verdict": "FORWARDED"}, [1, 2, 3, 4, 6]),
        ({"type": "drop"}, [5]),
        ({"type": "policy-verdict"}, [1, 5]),
        ({"type": ["opened", "closed"]}, [1, 3]),
        ({"type": "trace"}, [2, 4, 6]),
        ({"reason": "policy_denied"}, [5]),
        ({"reason": "invalid_source_ip"}, []),
        ({"related_to": "default/web-1"}, [1, 2, 3]),
        ({"related_to": "10"}, [1, 2, 3]),
        ({"related_to": "client", "port": 443}, [5]),
    ],
)
def test_rows_are_chosen_by_words(words, rows):
    """All that is said must hold; of several words of one kind any."""
    assert chosen(**words) == rows


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"pod": "wbe-1"}, "no pod's name begins with wbe-1; did you mean default/web-1"),
        ({"to_pod": "wbe-1"}, "no pod's name begins with wbe-1; did you mean default/web-1"),
        ({"from_namespace": "defualt"}, "no pod is in a namespace defualt; did you mean default"),
        ({"protocol": "256"}, "'256' is no protocol"),
        ({"related_to": "default/clinet"}, "no pod default/clinet; did you mean default/client"),
        ({"namespace": "defualt"}, "no pod is in a namespace defualt; did you mean default"),
        ({"label": "app=wbe"}, "no pod has the label app=wbe; did you mean app=web"),
        ({"identity": "wrold"}, "'wrold' is no identity; did you mean world"),
        ({"ip": "10.0.0"}, "'10.0.0' is no address"),
        ({"port": 70000}, "a port is 0 to 65535"),
        ({"protocol": "tpc"}, "'tpc' is no protocol; did you mean tcp"),
        ({"verdict": "droped"}, "'droped' is no verdict; did you mean dropped"),
        ({"type": "dorp"}, "'dorp' is no type of events; did you mean drop"),
        ({"reason": "policy_deny"}, "'policy_deny' is no drop reason; did you mean policy_denied"),
        ({"pods": "web"}, "not chosen by pods; did you mean pod"),
    ],
)
def test_what_means_nothing_is_refused_with_the_nearest_word(words, says):
    """It would be waited for in vain."""
    with pytest.raises(AxonemeError, match=says):
        chosen(**words)


def test_pods_that_come_later_are_chosen_too():
    """By the beginning of their name."""
    known = directory()
    chooser = Chooser(parse_choice({"pod": ["web"]}), known, lambda: REASONS)
    rows = row("10.0.0.77", CLIENT, time=9)
    assert chooser.choose(rows) == b""
    known.put_pod(owner("web-9", "default", WEB_ID), (ip_address("10.0.0.77"),))
    assert chooser.choose(rows) == rows
    known.remove_pod("default", "web-9")
    assert chooser.choose(rows) == rows, "its packets may be told of a little later"


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        ([], {"drop", "policy-verdict", "trace"}),
        (["drop"], {"drop"}),
        (["policy-verdict"], {"drop", "policy-verdict"}),
        (["closed"], {"policy-verdict", "trace"}),
    ],
)
def test_a_loss_is_told_to_whom_it_may_concern(types, wanted):
    """To nobody else."""
    chooser = Chooser(parse_choice({"type": types}), directory(), lambda: REASONS)
    assert {one for one in TYPE_NAMES.values() if chooser.wants(one)} == wanted
