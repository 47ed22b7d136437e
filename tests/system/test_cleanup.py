# SPDX-License-Identifier: Apache-2.0
"""What `axoneme cleanup` leaves of us on a node: nothing."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest
from tests.system.objects import idle
from tests.system.rig import Rig
from tests.system.runtimes import Runtime

from axoneme.agent.cleanup import Cleanup
from axoneme.config import read_agent_config
from axoneme.model import NodeIpam, NodeRecord
from axoneme.net import write_sysctl
from axoneme.testing import Node, join
from axoneme.testing.agents import AgentProcess

OTHER = NodeRecord(
    "other",
    (IPv4Address("172.31.0.2"), IPv6Address("fd00:172::2")),
    NodeIpam((IPv4Network("10.99.1.0/24"), IPv6Network("fd00:99:1::/120"))),
    77,
)
#: What there is of a node that somebody could have changed: a command each.
DUMPS = (
    "ip -o link show",
    "ip -o addr show",
    "ip -4 route show table all",
    "ip -6 route show table all",
    "ip -4 rule show",
    "ip -6 rule show",
    "ip neigh show nud permanent",
    "tc qdisc show",
    "find /sys/fs/bpf",
    "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding",
)


FORWARDING = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")


@pytest.fixture
def joined(node):
    """A node with an uplink."""
    with Node(number=2) as other:
        join(node, other)
        yield node


@pytest.fixture(params=["native", "tunnel"])
def agent(joined, tmp_path, request):
    """An agent that has routes to another node and pods of its own, in either mode."""
    process = AgentProcess(joined, tmp_path)
    process.configure(
        ["tc"],
        f"""
uplinks = ["uplink2"]
routing-mode = "{request.param}"
node-addresses = ["172.31.0.1", "fd00:172::1"]
""",
        networks=[IPv4Network("10.99.0.0/24"), IPv6Network("fd00:99::/120")],
        name="own",
    )
    process.source.nodes.write(OTHER)
    return process


def dump(node):
    """What there is, by command; the kernel's own counters and times are no part of it."""
    found = {words: node.run(words.split()).splitlines() for words in DUMPS}
    return {words: sorted(line.rstrip() for line in lines) for words, lines in found.items()}


def cleanup(agent, *words):
    """Run the command in the node."""
    directory = agent.config.parent
    line = [
        *(sys.executable, "-m", "axoneme", "cleanup", "--config", str(agent.config)),
        *("--bin-dir", str(directory / "bin"), "--conf-dir", str(directory / "net.d"), *words),
    ]
    pipe = subprocess.PIPE
    with agent.node.popen(line, stdout=pipe, stderr=pipe, text=True) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out.splitlines(), err


def files(directory):
    """The files below a directory."""
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def test_nothing_of_ours_is_left(agent, joined, tmp_path):
    """Programs, maps, devices, routes, files, settings: all is as before, and what went is told."""
    for name in FORWARDING:
        joined.call(write_sysctl, name, 0)
    before = dump(joined)
    with Runtime(tmp_path, agent.run_dir) as runtime:
        one, two = runtime.container(), runtime.container()
        with agent:
            runtime.add(one)
            runtime.add(two)
            assert dump(joined) != before
        agent.process = None
        between = dump(joined)
        code, lines, err = cleanup(agent)
        assert (code, err) == (0, "")
        assert one.links() == two.links() == set()
    assert dump(joined) == before
    text = "\n".join(lines)
    gone = set(between["find /sys/fs/bpf"]) - set(before["find /sys/fs/bpf"])
    leaves = {path for path in gone if path.count("/") == 6}
    assert {f"pin {path.removeprefix('/sys/fs/bpf/')}" for path in leaves} <= set(lines)
    for word in ("axoneme-cni", "05-axoneme.conflist", "route to 10.99.1.0/24", "node own"):
        assert word in text
    assert text.count("device axn") >= 2
    assert not agent.run_dir.exists()
    assert files(tmp_path / "bin") == files(tmp_path / "net.d") == set()
    (record,) = agent.source.nodes.read().records
    assert record.networks == OTHER.networks
    assert agent.source.read().records == ()
    assert not agent.source.allocations("own").exists()


def test_cleaning_up_again_is_no_error(agent):
    """It says that there is nothing."""
    with agent:
        pass
    assert cleanup(agent)[0] == 0
    assert cleanup(agent) == (0, ["nothing of ours is here"], "")


def test_a_killed_agent_is_no_running_one(agent, joined):
    """Its socket is there still, and nobody answers."""
    before = dump(joined)
    agent.start()
    agent.kill()
    assert (agent.run_dir / "agent.sock").exists()
    assert cleanup(agent)[0] == 0
    assert dump(joined) == before


def test_a_running_agent_is_not_pulled_away_from_under(agent, joined):
    """The refusal names its process; with --force it is done all the same."""
    with agent:
        there = dump(joined)
        code, lines, err = cleanup(agent)
        assert code == 1
        assert lines == []
        assert f"the agent is running (process {agent.process.pid})" in " ".join(err.split())
        assert dump(joined) == there
        assert cleanup(agent, "--force")[0] == 0
        assert "/sys/fs/bpf/axoneme" not in dump(joined)["find /sys/fs/bpf"]


def test_what_others_may_know_of_the_node_can_stay(agent):
    """For a node that is made again at once."""
    with agent:
        pass
    assert cleanup(agent, "--keep-state")[0] == 0
    assert {record.name for record in agent.source.nodes.read().records} == {"other", "own"}


def test_the_plugin_of_another_node_of_the_machine_stays(agent, tmp_path):
    """The executable there speaks to another agent."""
    with Runtime(tmp_path, Path("/run/elsewhere")) as runtime:
        assert cleanup(agent)[0] == 0
        assert runtime.program.exists()
        assert runtime.conflist.exists()


def test_files_of_others_in_the_run_directory_stay(agent):
    """The directory may be shared."""
    agent.run_dir.mkdir()
    note = agent.run_dir / "note"
    note.write_text("mine")
    assert cleanup(agent)[0] == 0
    assert note.read_text() == "mine"


def test_filters_and_their_qdisc_go_and_a_strangers_stay(node, tmp_path, foreign):
    """Below kernel 6.6 there are no links: what is empty afterwards is removed as well."""
    config = tmp_path / "axoneme.toml"
    config.write_text(f'[agent]\nrun-dir = "{tmp_path}/run"\nstate-dir = "{tmp_path}/state"\n')
    one, two = node.add_pod(), node.add_pod()
    before = dump(node)["tc qdisc show"]
    rig = Rig(node, tcx=False)
    rig.put(idle=idle("admit"))
    rig.attach(one, two)
    foreign().attach_clsact(two.ifindex, handle=7, priority=7)
    rig.call(rig.datapath.close)
    made = Cleanup(read_agent_config(config))
    node.call(made.run, bin_dir=tmp_path / "bin", conf_dir=tmp_path / "net.d")
    assert made.problems == []
    assert {phrase.split()[-1] for phrase in made.removed if phrase.startswith("filter ")} == {
        one.ifname,
        two.ifname,
    }
    (left,) = node.netlink.filters(node.netlink.link(two.ifname), "ingress")
    assert left.handle == 7
    after = dump(node)["tc qdisc show"]
    assert [line for line in after if f"clsact ffff: dev {two.ifname}" not in line] == before
