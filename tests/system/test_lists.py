# SPDX-License-Identifier: Apache-2.0
"""Lists of what the agent knows, and of what the kernel holds: with an agent, and without."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.system.shop import becomes, open_shop

from axoneme.lab.agents import end_agent, start_agent, wait_for_agents

ALL_LISTS = [
    ("endpoint", "list"),
    ("identity", "list"),
    ("policy", "get"),
    ("node", "list"),
    ("bpf", "endpoint", "list"),
    ("bpf", "ipcache", "list"),
    ("bpf", "policy", "list"),
    ("bpf", "ct", "list"),
    ("bpf", "lanes", "list"),
]


@pytest.fixture(scope="module")
def shop():
    """Two nodes; tests leave them as they are."""
    with open_shop(f"l{os.getpid()}") as made:
        yield made


def lines(shop, *words):
    """The lines of a table, but for its head, as words."""
    result = shop.run(*words)
    assert result.returncode == 0, result.stderr
    return [line.split() for line in result.stdout.splitlines()[1:]]


def identity_of(shop, name):
    """The identity of a pod of the first node."""
    (found,) = (row["identity"] for row in shop.rows("endpoint", "list") if row["pod"] == name)
    return found


def test_endpoints_tell_whether_policies_hold_for_them(shop):
    """The server is closed from outside by the policy, the friend by none."""
    rows = {row["pod"]: row for row in shop.rows("endpoint", "list")}
    assert rows.keys() == {"server", "friend"}
    server = rows["server"]
    assert server["policies"] == {
        "egress": {"default-deny": False, "selected-by": []},
        "ingress": {"default-deny": True, "selected-by": ["default/shop"]},
    }
    assert (server["state"], server["labels"]["k8s:app"]) == ("ready", "server")
    assert server["named-ports"] == [{"name": "http", "protocol": "tcp", "port": 8080}]
    assert server["addresses"] == list(shop.lab.pod("server").addresses)
    words = {line[1]: line[2:5] for line in lines(shop, "endpoint", "list")}
    assert words["default/server"] == ["ready", "enforced", "open"]
    assert words["default/friend"] == ["ready", "open", "open"]


@pytest.mark.parametrize("word", ["server", "default/server", "address", "id"])
def test_an_endpoint_is_found_by_whatever_it_goes_by(shop, word):
    """Name, address or number: the same endpoint."""
    (server,) = (row for row in shop.rows("endpoint", "list") if row["pod"] == "server")
    known = {"address": server["addresses"][1], "id": str(server["id"])}
    assert shop.rows("endpoint", "get", known.get(word, word)) == server
    assert "default/shop" in shop.run("endpoint", "get", known.get(word, word)).stdout


def test_identities_are_listed_with_their_endpoints(shop):
    """Reserved ones, those of labels on all nodes, and networks that policies name."""
    rows = {row["identity"]: row for row in shop.rows("identity", "list")}
    assert rows[1]["labels"] == {"reserved:host": ""}
    server = rows[identity_of(shop, "server")]
    assert (server["type"], server["endpoints"], server["endpoints-here"]) == ("labels", 1, 1)
    stranger = rows[identity_of_stranger(shop)]
    assert (stranger["endpoints"], stranger["endpoints-here"]) == (1, 0)
    cidrs = [key for row in rows.values() if row["type"] == "cidr" for key in row["labels"]]
    assert "cidr:198.51.100.0/24" in cidrs
    assert shop.rows("identity", "get", "host")["identity"] == 1
    assert shop.rows("identity", "get", str(server["identity"])) == server


def identity_of_stranger(shop):
    """As the node that has it says."""
    (row,) = shop.rows("endpoint", "list", node="node2")
    return row["identity"]


def test_policies_tell_whom_they_select_and_what_they_have_become(shop):
    """Each rule with peers, ports and its entries in the maps."""
    (policy,) = shop.rows("policy", "get", "default/shop")
    assert policy["endpoints"] == ["default/server"]
    assert policy["default-deny"] == ["ingress"]
    (rule,) = policy["rules"]
    assert (rule["rule"], rule["verdict"]) == ("ingress[0]", "allow")
    assert rule["ports"] == ["http/tcp", "9000-9003/udp"]
    assert rule["peers"][1] == "198.51.100.0/24"
    assert rule["entries"] == len(
        [row for row in shop.rows("bpf", "policy", "list") if row["rule"].startswith("default/")]
    )


def test_nodes_are_listed_with_their_pods(shop):
    """Both say the same of each, and each that it is itself."""
    for here, there in (("node1", "node2"), ("node2", "node1")):
        own, other = shop.rows("node", "list", node=here)
        assert (own["name"], own["way"]) == (here, "this node")
        assert (other["name"], other["way"]) == (there, "native")
        assert {own["name"]: own["pods"], other["name"]: other["pods"]} == {"node1": 2, "node2": 1}


def test_the_kernel_knows_the_addresses_of_the_cluster(shop):
    """Pods of both nodes and the nodes themselves, named; networks of policies."""
    rows = {row["prefix"]: row for row in shop.rows("bpf", "ipcache", "list")}
    for name, pod in ((str(pod), pod) for pod in shop.lab.pods):
        for address in pod.addresses:
            (row,) = (row for prefix, row in rows.items() if prefix.startswith(f"{address}/"))
            assert row["name"] == name
    assert rows["172.30.0.1/32"]["identity-name"] == "host"
    assert rows["172.30.0.2/32"]["name"] == "node node2"
    assert rows["198.51.100.0/24"]["identity-name"] == "198.51.100.0/24"
    own = {row["name"] for row in shop.rows("bpf", "endpoint", "list")}
    assert own == {"default/server", "default/friend"}


def test_entries_of_policies_name_their_rules(shop):
    """With the peer's labels, ranges of ports as the kernel has them, and what else holds."""
    rows = shop.rows("bpf", "policy", "list", "--identity", str(identity_of(shop, "server")))
    friend = identity_of(shop, "friend")
    found = {(row["peer"], row["ports"], row["protocol"]): row for row in rows}
    assert found[friend, "8080", "tcp"]["rule"] == "default/shop ingress[0]"
    assert found[friend, "8080", "tcp"]["peer-name"] == "app=friend in default"
    assert (friend, "9003", "udp") in found
    last = {row["direction"]: row["verdict"] for row in rows if row["rule"] == "default"}
    assert last == {"egress": "allow", "ingress": "deny"}


def test_connections_are_listed_by_pod(shop):
    """The friend's own, with the rule that let it in; the stranger has none."""
    address = shop.lab.pod("server").addresses[0]
    assert not shop.connects("stranger", address, 0.5)

    def rules():
        """Of a connection of now: one of before a change of policies is asked for again."""
        assert shop.connects("friend", address)
        return {row["ingress-rule"] for row in shop.rows("bpf", "ct", "list", "--pod", "friend")}

    assert becomes(lambda: "default/shop ingress[0]" in rules())
    flows = shop.rows("bpf", "ct", "list", "--pod", "friend")
    assert {row["source-name"] for row in flows} == {"default/friend"}
    assert {row["destination-name"] for row in flows} == {"default/server"}
    assert all(row["seconds-left"] > 0 for row in flows)
    other = shop.rows("bpf", "ct", "list", "--pod", "stranger")
    assert not any(row["destination-name"] == "default/server" for row in other)


def test_lanes_tell_which_plugins_are_in_each_pods_programs(shop):
    """For each pod both trunks, the stages in order; uplinks as devices."""
    rows = shop.rows("bpf", "lanes", "list")
    programs = {(row["place"], row["trunk"]): row for row in rows}
    for pod in ("default/server", "default/friend"):
        stages = programs[pod, "from_pod"]["stages"]
        assert list(stages)[:4] == ["recall", "admit", "balance", "track"]
        assert (stages["track"], stages["balance"]) == (["tc"], [])
        assert programs[pod, "to_pod"]["stages"]["policy"] == ["tc"]
    assert programs["eth0", "from_uplink"]["stages"]["deliver"] == ["tc"]
    (line,) = (
        w
        for w in lines(shop, "bpf", "lanes", "list")
        if w[:1] + w[2:3] == ["default/server", "from_pod"]
    )
    assert "track[tc]" in line
    assert "balance" not in line
    assert "balance" in shop.run("bpf", "lanes", "list", "--all-stages").stdout


def test_the_kernels_lists_need_no_agent(shop):
    """They are the same when it has died; the others say that none answers."""
    node = shop.lab.node("node1")
    names = [words for words in ALL_LISTS if words[0] == "bpf" and words[1] != "ct"]
    before = {words: shop.rows(*words) for words in names}
    end_agent(node)
    try:
        assert {words: shop.rows(*words) for words in names} == before
        assert shop.rows("bpf", "ct", "list", "--pod", "server")
        for words in ALL_LISTS[:4]:
            result = shop.run(*words)
            assert result.returncode == 3
            assert "no agent answers" in result.stderr
    finally:
        start_agent(node)
        wait_for_agents([node])


def test_all_commands_have_the_same_words(shop):
    """For a rule, the policies, an identity and the pods: the lists, explain and monitor."""
    address = shop.lab.pod("server").addresses[0]
    assert shop.connects("friend", address)
    assert not shop.connects("stranger", address, 0.5)
    explained = shop.rows("explain", "friend", "server:8080")
    refused = shop.rows("explain", "stranger", "server:8080")["refusal"]
    (rule,) = {s["rule"]["rule"] for leg in explained["legs"] for s in leg["steps"] if s["rule"]}
    entries = shop.rows("bpf", "policy", "list", "--identity", str(identity_of(shop, "server")))
    assert {row["rule"] for row in entries if row["peer-name"] == "app=friend in default"} == {rule}
    assert explained["source"]["labels"] == "app=friend in default"
    allowed = shown(shop, "--from-pod", "friend", "--type", "policy-verdict")[-1]
    assert f"ingress allowed by {rule};" in allowed
    dropped = shown(shop, "--from-pod", "stranger", "--verdict", "dropped")[-1]
    assert refused["words"] == "nothing in default/shop allows it into the pod"
    assert f"({refused['reason']['text']}; ingress denied, nothing in default/shop" in dropped
    assert "default/server:8080" in dropped


def test_a_node_has_one_name(shop):
    """In lists, in explain and in monitor, where its own pods let it in."""
    assert shop.run("explain", "host", "server:8080").stdout.startswith("node node1 (")
    names = {row["name"] for row in shop.rows("bpf", "ipcache", "list")}
    assert {"node node1", "node node2"} <= names
    ping = ["ping", "-c1", "-W1", shop.lab.pod("server").addresses[0]]
    subprocess.run(shop.lab.place("node1").command(ping), check=True, capture_output=True)
    line = shown(shop, "--identity", "host", "--protocol", "icmp")[0]
    assert "node node1 (host) -> default/server (ID:" in line
    assert "ingress allowed by the pod's own node;" in line


def shown(shop, *words):
    """The lines that monitor has of the past."""
    result = shop.run("monitor", "--no-follow", *words)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("endpoint", "get", "servr"), "did you mean server?"),
        (("identity", "get", "hots"), "did you mean host?"),
        (("policy", "get", "default/shp"), "did you mean default/shop?"),
        (("bpf", "ct", "list", "--pod", "default/fiend"), "did you mean default/friend?"),
    ],
)
def test_what_is_not_there_is_answered_with_the_nearest_word(shop, words, hint):
    """In one sentence, and the exit code 1."""
    result = shop.run(*words)
    assert (result.returncode, result.stdout) == (1, "")
    assert hint in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", ALL_LISTS, ids=" ".join)
def test_a_table_has_a_line_a_row_however_narrow_the_terminal(shop, words):
    """So that grep and awk find what they look for."""
    rows = shop.rows(*words)
    result = shop.run(*words)
    expected = (
        sum(len(r["rules"]) + len(r["default-deny"]) for r in rows)
        if (words[0] == "policy")
        else len(rows)
    )
    assert len(result.stdout.splitlines()) == expected + 1


def test_a_bpffs_without_pins_is_named(tmp_path):
    """With the path where they should be, and what to do."""
    config = tmp_path / "axoneme.toml"
    config.write_text(f'[agent]\nbpffs = "{tmp_path}"\nstate-dir = "{tmp_path}/state"\n')
    line = [sys.executable, "-m", "axoneme", "bpf", "ct", "list", "--config", str(config)]
    result = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"no map is pinned at {tmp_path}/axoneme/maps/runtime_v2" in result.stderr
