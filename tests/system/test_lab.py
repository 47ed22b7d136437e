# SPDX-License-Identifier: Apache-2.0
"""A lab: nodes that outlive the process that made them, and leave nothing when they go."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from axoneme.errors import AxonemeError
from axoneme.lab import Lab, Settings
from axoneme.lab.agents import end_agent, find_agent, start_agent, wait_for_agents
from axoneme.lab.manifests import apply, withdraw
from axoneme.lab.status import describe
from axoneme.net import cgroups
from axoneme.sources import NodeFiles
from axoneme.testing import scaled

NAMES = Path("/run/netns")


def traces(name):
    """All that tells on this machine that a lab was there."""
    found = [str(path) for path in NAMES.glob(f"{name}-*")]
    found += [
        str(path) for path in (Path(f"/run/axoneme/lab/{name}"), Lab(name).cgroup) if path.exists()
    ]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found += [line for line in mounts if f"/axoneme/lab/{name}" in line]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        found += [line] if f"/axoneme/lab/{name}/" in line else []
    return found


def run(place, *words):
    """Run a command in a place; what it printed."""
    return subprocess.run(
        place.command(words), check=True, capture_output=True, text=True, timeout=scaled(20)
    ).stdout


def command(*words):
    """Run the command of people."""
    line = [sys.executable, "-m", "axoneme", "lab", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=scaled(60))


@pytest.fixture
def name():
    """A lab's name of the test's own; what is left of it goes."""
    name = f"t{os.getpid()}"
    yield name
    Lab(name).down()


@pytest.fixture(scope="module")
def lab():
    """Two nodes; tests leave them as they are."""
    lab = Lab(f"m{os.getpid()}")
    lab.up(Settings(nodes=2))
    yield lab
    lab.down()


def test_nodes_reach_each_other_and_the_outside(lab):
    """By both families, and addresses of the outside to which only routes lead."""
    one, two = lab.nodes
    for address in (*two.addresses, *lab.outside_addresses):
        assert "1 received" in run(one.place, "ping", "-c1", "-W2", str(address))


def test_each_node_has_its_own_network_bpffs_and_cgroup(lab):
    """None of them is the host's."""
    where = [
        run(place, "stat", "-Lc", "%d:%i", "/proc/self/ns/net", "/proc/self/ns/mnt", "/sys/fs/bpf")
        for place in (node.place for node in lab.nodes)
    ]
    here = run_here("stat", "-Lc", "%d:%i", "/proc/self/ns/net", "/proc/self/ns/mnt", "/sys/fs/bpf")
    rows = [text.split() for text in (*where, here)]
    for column in zip(*rows, strict=True):
        assert len(set(column)) == 3
    for node in lab.nodes:
        own = run(node.place, "cat", "/proc/self/cgroup").splitlines()[-1]
        assert own.endswith(f"/{lab.name}/{node.name}")


def run_here(*words):
    """Run a command where the tests are."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def test_the_agents_of_all_nodes_answer(lab):
    """With nothing to complain about."""
    for row in describe(lab)["nodes"]:
        assert row["pid"]
        assert row["endpoints"] == 0
        assert row["problems"] == []


def test_iproute_finds_the_namespaces(lab):
    """By the lab's name and the node's, as any that `ip netns add` has made."""
    listed = run_here("ip", "netns", "list")
    assert f"{lab.name}-node1" in listed
    inside = run_here("ip", "netns", "exec", f"{lab.name}-node1", "ip", "-br", "address")
    assert "172.30.0.1/24" in inside


def test_an_agent_that_is_killed_comes_back(lab):
    """Its pid file does not keep a second from starting, and keeps one from starting twice."""
    node = lab.nodes[0]
    before = find_agent(node)
    with pytest.raises(AxonemeError, match="runs already"):
        start_agent(node)
    end_agent(node)
    assert find_agent(node) is None
    with pytest.raises(AxonemeError, match="no agent runs on node1"):
        end_agent(node)
    start_agent(node)
    wait_for_agents([node])
    assert find_agent(node) not in {None, before}


def test_one_operator_leads_and_the_other_takes_over(lab):
    """Also when it is killed; the one that comes back waits."""
    first, second = sorted(lab.operators, key=lambda one: not one.ask("status")["leading"])
    assert [row["leading"] for row in describe(lab)["operators"]].count(True) == 1
    assert command("kill", first.name, "--name", lab.name).returncode == 0
    end = time.monotonic() + scaled(5)
    while not second.ask("status")["leading"]:
        assert time.monotonic() < end
    assert command("start", first.name, "--name", lab.name).returncode == 0
    assert not first.ask("status")["leading"]
    wrong = command("kill", "operator3", "--name", lab.name)
    assert "did you mean operator" in wrong.stderr


def test_every_node_has_its_networks(lab):
    """Of both families, and each its own."""
    records = NodeFiles(lab.state / "nodes").read().records
    networks = [network for record in records for network in record.networks]
    assert [network.version for network in networks] == [4, 6, 4, 6]
    assert len(set(networks)) == 4


def test_a_pid_that_is_somebody_elses_now_is_left_alone(lab):
    """A number without its start time means nobody."""
    node = lab.nodes[1]
    kept = node.pid_file.read_text()
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            node.pid_file.write_text(f"{other.pid} 1\n")
            with pytest.raises(AxonemeError, match="no agent runs"):
                end_agent(node)
            assert other.poll() is None
        finally:
            other.kill()
            node.pid_file.write_text(kept)


def test_manifests_are_given_to_the_agents_and_taken_away(lab, tmp_path):
    """Under their own names; what cannot be one is refused."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("kind: Nothing\n")
    assert apply(lab, policy).read_text() == "kind: Nothing\n"
    with pytest.raises(AxonemeError, match=r"did you mean policy\.yaml"):
        withdraw(lab, "polity.yaml")
    withdraw(lab, "policy.yaml")
    assert not any(lab.manifests.iterdir())
    with pytest.raises(AxonemeError, match="cannot be read"):
        apply(lab, tmp_path / "missing.yaml")
    with pytest.raises(AxonemeError, match="is not called as a manifest"):
        apply(lab, tmp_path)


def test_a_lab_that_is_up_is_not_made_again(lab):
    """The error says what to do, and the one that is there goes on."""
    with pytest.raises(AxonemeError, match=f"axoneme lab down --name {lab.name}"):
        lab.up(Settings(nodes=1))
    assert describe(lab)["nodes"][1]["pid"]


def test_names_that_are_not_there_are_named_with_those_that_are(lab):
    """Nodes and pods alike."""
    with pytest.raises(AxonemeError, match="did you mean node1"):
        lab.node("nod1")
    with pytest.raises(AxonemeError, match="has no pod web"):
        lab.place("web")


def test_people_make_use_and_remove_a_lab(name):
    """Each command is a process of its own, and the last one leaves nothing."""
    up = command("up", "--nodes", "1", "--name", name)
    assert up.returncode == 0, up.stderr
    again = command("up", "--name", name)
    assert again.returncode == 1
    assert f"axoneme lab down --name {name}" in again.stderr
    shown = command("status", "--name", name)
    assert "172.30.0.1" in shown.stdout
    assert command("exec", "--name", name, "node1", "--", "sh", "-c", "exit 7").returncode == 7
    asked = command(
        "exec", "--name", name, "node1", "--", sys.executable, "-m", "axoneme", "status"
    )
    assert "node node1 (1)" in asked.stdout
    assert command("kill", "node1", "--name", name).returncode == 0
    assert "none" in command("status", "--name", name).stdout
    assert command("start", "node1", "--name", name).returncode == 0
    assert command("logs", "node1", "--name", name).stdout.count("ready") == 2
    assert command("down", "--name", name).returncode == 0
    assert traces(name) == []
    gone = command("status", "--name", name)
    assert gone.returncode == 1
    assert f"axoneme lab up --name {name}" in gone.stderr


def test_down_ends_what_people_have_started(name):
    """Servers in nodes and outside, and what those have started."""
    lab = Lab(name)
    lab.up(Settings(nodes=1))
    places = (lab.nodes[0].place, lab.outside)
    script = ["sh", "-c", "trap '' TERM; (sleep 1000 & sleep 1000)"]
    started = [subprocess.Popen(place.command(script)) for place in places]
    end = time.monotonic() + scaled(10)
    while len(cgroups.threads(lab.cgroup)) < 7:
        assert time.monotonic() < end
        time.sleep(0.01)
    lab.down()
    assert [process.wait(scaled(5)) for process in started] == [-signal.SIGKILL] * 2
    assert traces(name) == []


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.6, 1.5])
def test_down_removes_what_a_killed_up_has_left(name, seconds):
    """Wherever it was; and the next one comes up."""
    line = [sys.executable, "-m", "axoneme", "lab", "up", "--nodes", "2", "--name", name]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as process:
        time.sleep(scaled(seconds))
        process.kill()
    lab = Lab(name)
    if lab.directory.exists() and not (lab.directory / "lab.json").exists():
        with pytest.raises(AxonemeError, match="what is half there goes with"):
            describe(lab)
    lab.down()
    assert traces(name) == []


def test_an_agent_that_does_not_start_leaves_no_lab(name):
    """The error has its last words."""
    with pytest.raises(AxonemeError, match=r"agent of node1 has ended(.|\n)*agent\.nonsense"):
        Lab(name).up(Settings(nodes=1, sections="nonsense = 1"))
    assert traces(name) == []


def test_a_name_in_run_netns_that_is_not_ours_stays(name):
    """It is refused, named, and left alone."""
    NAMES.mkdir(exist_ok=True)
    other = NAMES / f"{name}-node1"
    other.touch()
    try:
        with pytest.raises(AxonemeError, match=f"{name}-node1 exists"):
            Lab(name).up(Settings(nodes=1))
        assert other.exists()
    finally:
        other.unlink()
    assert traces(name) == []


def test_two_labs_do_not_know_each_other(lab, name):
    """The same addresses, and one goes without the other."""
    other = Lab(name)
    other.up(Settings(nodes=1, plugins=()))
    assert "1 received" in run(other.nodes[0].place, "ping", "-c1", "-W2", "172.30.0.254")
    other.down()
    assert traces(name) == []
    assert describe(lab)["nodes"][0]["pid"]
    assert "1 received" in run(lab.nodes[0].place, "ping", "-c1", "-W2", "172.30.0.254")


def test_what_is_there_before_is_there_afterwards(name):
    """Devices, mounts, names of namespaces; those of labs beside it come and go by themselves."""
    assert shutil.which("ip")

    def others(text):
        return name not in text and ("/axoneme/lab" in text or str(NAMES) in text)

    def seen():
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        names = [str(path) for path in NAMES.glob("*")]
        kept = sorted(text for text in [*mounts, *names] if not others(text))
        return run_here("ip", "-o", "link"), kept

    before = seen()
    lab = Lab(name)
    lab.up(Settings(nodes=1, plugins=()))
    lab.down()
    assert seen() == before
