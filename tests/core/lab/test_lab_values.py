# SPDX-License-Identifier: Apache-2.0
"""What a lab is told, and what it makes of it, without making anything."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from axoneme.config import parse_config
from axoneme.errors import AxonemeError
from axoneme.host import PluginHost
from axoneme.lab import Lab, Place, Pod, Port, Settings
from axoneme.lab.settings import agent_config, operator_config


@pytest.mark.parametrize("name", ["", "Lab", "a/b", "-a", "a-", "../a", "a" * 21, "1a"])
def test_a_name_that_would_be_no_file_or_namespace_is_refused(name):
    """It becomes part of both."""
    with pytest.raises(AxonemeError, match="is no name for a lab"):
        Lab(name)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("80", Port(80)),
        ("80/udp", Port(80, "", "UDP")),
        ("web=8080", Port(8080, "web")),
        ("web=8080/SCTP", Port(8080, "web", "SCTP")),
    ],
)
def test_a_port_is_read_as_people_write_it(text, port):
    """A name and a protocol are for those who want them."""
    assert Port.parse(text) == port


@pytest.mark.parametrize("text", ["", "0", "65536", "web", "web=", "80/ICMP", "80,81"])
def test_what_is_no_port_is_refused_with_an_example(text):
    """None of them becomes port 0, or TCP."""
    with pytest.raises(AxonemeError, match="write one such as"):
        Port.parse(text)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"nodes": 0}, "1 to 64 nodes"),
        ({"nodes": 65}, "1 to 64 nodes"),
        ({"routing_mode": "tunel"}, "did you mean tunnel"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, words):
    """Before anything is made."""
    with pytest.raises(AxonemeError, match=words):
        Settings(**wrong)


def test_settings_are_read_as_they_were_saved(tmp_path):
    """A lab is found again by another process."""
    settings = Settings(nodes=3, plugins=("tc", "more"), routing_mode="tunnel", sections="[tc]\n")
    settings.save(tmp_path / "lab.json")
    assert Settings.load(tmp_path / "lab.json") == settings


def test_a_pod_is_read_as_it_was_saved(tmp_path):
    """With labels, ports and addresses."""
    pod = Pod("web", "default", "node1", {"app": "web"}, (Port(80, "http"),), ("10.0.0.1",))
    pod.save(tmp_path / "pod.json")
    assert Pod.load(tmp_path / "pod.json") == pod


@pytest.mark.parametrize("name", ["", "Web", "a.b", "a/b", "../web", "a" * 64])
def test_a_pod_is_called_as_in_kubernetes(name):
    """Names and namespaces become names of files."""
    for words in ((name, "default"), ("web", name)):
        with pytest.raises(AxonemeError, match="small letters"):
            Pod(*words, "node1")


def test_the_manifest_of_a_pod_has_its_labels_and_named_ports():
    """What a policy can ask for."""
    pod = Pod("web", "shop", "node2", {"app": "web"}, (Port(8080, "http"), Port(53, "", "UDP")))
    document = yaml.safe_load(pod.manifest())
    assert document["kind"] == "Pod"
    assert document["metadata"] == {"name": "web", "namespace": "shop", "labels": {"app": "web"}}
    (container,) = document["spec"]["containers"]
    assert container["ports"] == [
        {"containerPort": 8080, "protocol": "TCP", "name": "http"},
        {"containerPort": 53, "protocol": "UDP"},
    ]


def test_the_agent_takes_the_configuration_of_every_node():
    """Each has its own name, addresses, cgroup and sockets, and all share the state."""
    lab = Lab("mine")
    settings = Settings(nodes=2, plugins=(), routing_mode="tunnel")
    texts = [agent_config(lab, node, settings) for node in lab.nodes_of(settings)]
    one, two = (tomllib.loads(text)["agent"] for text in texts)
    for key in ("node-name", "node-addresses", "cgroup", "run-dir"):
        assert one[key] != two[key]
    assert one["state-dir"] == two["state-dir"] == str(lab.state)
    for text in texts:
        read = parse_config(text, PluginHost(entry_points=lambda: ()), name="axoneme.toml")
        assert read.agent.node_name in {"node1", "node2"}


def test_the_words_that_run_a_command_keep_those_of_the_command():
    """Spaces, quotes and options are the command's own."""
    place = Place("web", Path("/n"), Path("/c"), "lab-web", mounts=Path("/m"))
    words = ["echo", "a b", "'", "--net=other"]
    line = place.command(words, directory=Path("/"))
    assert line[:4] == ["nsenter", "--net=/n", "--mount=/m", "--"]
    assert line[-4:] == words


def test_who_writes_the_section_of_addresses_writes_all_of_it():
    """Operators get it as agents do, and it is not there without the plugin."""
    lab = Lab("t")
    operator = lab.operators[0]
    default = tomllib.loads(operator_config(lab, operator, Settings()))
    assert default["agent"]["run-dir"] == "/run/axoneme/lab/t/operators/operator1/run"
    assert default["ipam"]["cluster-pool-ipv4-cidr"] == ["10.244.0.0/16"]
    own = Settings(sections='[ipam]\nmode = "crd"\n')
    assert tomllib.loads(operator_config(lab, operator, own))["ipam"] == {"mode": "crd"}
    none = Settings(plugins=("tc",))
    node = lab.nodes_of(none)[0]
    for text in (operator_config(lab, operator, none), agent_config(lab, node, none)):
        assert "ipam" not in tomllib.loads(text)
