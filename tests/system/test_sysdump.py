# SPDX-License-Identifier: Apache-2.0
"""The archive for a bug report: complete with an agent and without, and without secrets."""

from __future__ import annotations

import json
import os
import stat
import tarfile

import pytest
from tests.system.shop import open_shop
from tests.system.watching import sender

from axoneme.agent.sysdump.events import MOST_EVENTS, events
from axoneme.agent.sysdump.node import COMMANDS
from axoneme.lab.agents import end_agent, start_agent, wait_for_agents
from axoneme.testing.agents import AgentProcess

SECRET = "correct-horse-battery"
AGENT = {
    *("status", "endpoints", "identities", "policies", "nodes"),
    *("addresses", "address-pools"),
}
MAPS = {
    *("conntrack", "counters", "drops", "endpoints", "event_counters", "ipcache", "nodes"),
    *("policy", "reasons", "rule_sets", "rules", "runtime"),
}


#: Bytes of a ring buffer that holds all that a test sends.
_ROOMY = 1 << 24


@pytest.fixture(scope="module")
def shop():
    """A node whose manifests have a secret, which a pod of the other node gives away."""
    with open_shop(f"s{os.getpid()}") as made:
        manifest = made.lab.manifests / "secret.yaml"
        manifest.write_text(
            f"kind: Secret\nmetadata: {{name: s}}\nstringData:\n  word: {SECRET}\n  # why\n"
        )
        made.lab.add_pod("gossip", node="node2", labels={"word": SECRET})
        yield made


def dump(shop, tmp_path, *words):
    """What is in the archive by its path, and the path of the archive."""
    file = tmp_path / "dump.tar.gz"
    conf_dir = shop.lab.node("node1").cni_dir / "conf"
    result = shop.run("sysdump", "-o", str(file), "--conf-dir", str(conf_dir), *words)
    assert result.returncode == 0, result.stderr
    with tarfile.open(file) as tar:
        members = [member for member in tar.getmembers() if member.isfile()]
        roots = {member.name.partition("/")[0] for member in members}
        assert len(roots) == 1
        assert next(iter(roots)).startswith("axoneme-sysdump-")
        texts = {
            member.name.partition("/")[2]: tar.extractfile(member).read().decode()
            for member in members
        }
    assert str(file) in result.stdout
    return texts, file


def missing(texts):
    """The paths that the archive says are missing."""
    _, _, listed = texts["README.txt"].partition("\nMissing:\n")
    return {line.split(":")[0].strip() for line in listed.splitlines()}


def test_with_an_agent_nothing_is_missing(shop, tmp_path):
    """All that is known of the node is in it, and the named parts say what they should."""
    assert shop.connects("friend", shop.lab.pod("server").addresses[0])
    log = shop.lab.node("node1").log
    texts, _ = dump(shop, tmp_path, "--log", str(log))
    assert missing(texts) <= {"nothing", *COMMANDS}
    expected = {
        *(f"agent/{name}.json" for name in AGENT),
        *(f"maps/{name}.json" for name in MAPS),
        *("agent/events.jsonl", "agent/metrics.txt", "agent/log.txt"),
        *("config/axoneme.toml", "config/agent.json"),
        *("kernel/attached.json", "kernel/maps.json", "kernel/features.json"),
        *("node/machine.json", "node/packages.json", "node/sysctls.txt"),
        *("network/links.json", "network/routes4.json", "network/rules6.json"),
        *("network/neighbours.json", "manifests/shop.yaml", "state/files.txt"),
    }
    assert expected <= texts.keys()
    assert "ready" in texts["agent/log.txt"]
    flows = [json.loads(line) for line in texts["agent/events.jsonl"].splitlines()]
    assert "friend" in {flow["source"]["pod"] for flow in flows}
    assert {flow["node"] for flow in flows} == {"node1"}
    on = [row for row in json.loads(texts["agent/status.json"])["plugins"] if row["status"] == "on"]
    assert [row["name"] for row in on] == ["ipam", "tc"]
    assert json.loads(texts["node/packages.json"])["axoneme"]
    assert "net.ipv4.ip_forward = 1" in texts["node/sysctls.txt"]
    (first, *_) = json.loads(texts["kernel/attached.json"])
    assert first["stages"]["track"] == ["tc"]
    assert "conntrack_v" in texts["kernel/maps.json"]
    names = {row["name"] for row in json.loads(texts["maps/endpoints.json"])}
    assert names == {"default/server", "default/friend"}
    assert "default/shop ingress[0]" in texts["maps/rules.json"]
    assert any(path.startswith("state/endpoints/default.") for path in texts)
    assert any(path.startswith("cni/") and path.endswith(".conflist") for path in texts)


def test_without_an_agent_it_is_what_can_be_had(shop, tmp_path):
    """What the agent alone knows is missing, and said to be; the kernel's share is there."""
    node = shop.lab.node("node1")
    end_agent(node)
    try:
        texts, _ = dump(shop, tmp_path)
    finally:
        start_agent(node)
        wait_for_agents([node])
    lost = {f"agent/{name}.json" for name in AGENT}
    lost |= {"agent/events.jsonl", "agent/metrics.txt", "agent/log.txt"}
    assert lost <= missing(texts)
    assert not lost & texts.keys()
    assert "no agent answers" in texts["README.txt"]
    assert "give --log FILE" in texts["README.txt"]
    assert {f"maps/{name}.json" for name in MAPS} <= texts.keys()
    assert json.loads(texts["kernel/attached.json"])


def test_secrets_do_not_leak(shop, tmp_path):
    """Neither from the configuration nor from a manifest, nor where a log or a label has them."""
    node = shop.lab.node("node1")
    text = node.config.read_text()
    log = tmp_path / "agent.log"
    log.write_text(f"joined with {SECRET} and {SECRET}-2\n")
    sections = (
        f'\n[wg]\nprivate-key = "{SECRET}-2"\npeers = ["10.0.0.1"]\n[wg.tls]\nca = "{SECRET}-3"\n'
    )
    copy = tmp_path / "axoneme.toml"
    copy.write_text(text + sections)
    assert not shop.connects("gossip", shop.lab.pod("server").addresses[0], 0.5)
    texts, file = dump(shop, tmp_path, "--log", str(log), "--config", str(copy))
    for path, content in texts.items():
        assert SECRET not in content, path
    assert texts["agent/log.txt"].startswith("joined with [redacted]")
    assert "k8s:word=[redacted]" in texts["agent/events.jsonl"]
    assert "10.0.0.1" in texts["config/axoneme.toml"]
    assert 'private-key = "[redacted]"' in texts["config/axoneme.toml"]
    assert "# why" in texts["manifests/secret.yaml"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_maps_are_bounded(shop, tmp_path):
    """Of a million connections some are enough, and it is said."""
    texts, _ = dump(shop, tmp_path, "--rows", "3")
    rows = json.loads(texts["maps/ipcache.json"])
    assert len(rows) == 4
    assert rows[-1] == "more than 3 rows"


@pytest.mark.parametrize("ring", [65536, _ROOMY], ids=["small", "large"])
def test_events_are_bounded_and_tell_what_is_missing(node, tmp_path, ring):
    """The last ones, and between them what the ring buffer had no room for."""
    agent = AgentProcess(node, tmp_path)
    agent.configure(["tc"], f"[agent.map-entries]\nevents = {ring}\n")
    with agent:
        pod = agent.add_pod("one")
        with sender(node, pod) as packets:
            packets.drops(2 * MOST_EVENTS)
        agent.wait_for(lambda: _all_told(agent), "all to be told")
        lines = [json.loads(line) for line in events(agent.run_dir).splitlines()]
    lost = sum(line["lost"]["count"] for line in lines if "lost" in line)
    flows = [line for line in lines if "lost" not in line]
    assert {flow["reason"]["name"] for flow in flows} == {"invalid_source_ip"}
    if ring == _ROOMY:
        assert (len(lines), lost) == (MOST_EVENTS, 0)
    else:
        assert lost
        assert len(flows) + lost == 2 * MOST_EVENTS


def _all_told(agent):
    """Whether all that was not lost is kept, and what was lost is told."""
    counts = agent.ask("status")["events"]
    told = sum(
        json.loads(line).get("lost", {}).get("count", 0)
        for line in events(agent.run_dir).splitlines()
    )
    return counts["kept"] + told == 2 * MOST_EVENTS


def test_nothing_at_all_is_an_archive_too(shop, tmp_path):
    """On a machine without us all is missing, and each part says why."""
    config = tmp_path / "none.toml"
    config.write_text("[agent\n")
    texts, _ = dump(shop, tmp_path, "--config", str(config))
    assert "config/agent.json" in missing(texts)
    assert "the defaults are taken" in texts["README.txt"]
    assert "node/machine.json" in texts


def test_a_place_that_cannot_be_written_is_named(shop, tmp_path):
    """In one sentence, with nothing left behind."""
    result = shop.run("sysdump", "-o", str(tmp_path / "missing" / "dump.tar.gz"))
    assert result.returncode == 1
    assert "dump.tar.gz cannot be written: No such file or directory" in result.stderr
    assert list(tmp_path.iterdir()) == []
