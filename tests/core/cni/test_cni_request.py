# SPDX-License-Identifier: Apache-2.0
"""Requests of runtimes: what is taken, and what is refused by name."""

from __future__ import annotations

import json
from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axoneme.cni import CniError, Code, Command, read_request

CONFIG = {"cniVersion": "1.1.0", "name": "axoneme", "type": "axoneme-cni"}
FIELDS = {
    "command": "ADD",
    "containerId": "c0ffee",
    "netns": "/run/netns/a",
    "ifname": "eth0",
    "args": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=7",
    "path": "/opt/cni/bin",
}


def line(config=None, **fields):
    """A request with some fields, or keys of its configuration, of another value."""
    text = config if isinstance(config, str) else json.dumps(CONFIG | (config or {}))
    return json.dumps(FIELDS | {"config": text} | fields).encode()


def labelled(command="ADD", **label):
    """A request with a label that is right, and another one."""
    labels = [{"key": "tier", "value": "front"}, label]
    return line({"args": {"cni": {"labels": labels}}}, command=command)


def test_a_request_of_kubernetes_is_read_whole():
    """Pod, labels and what the runtime hands on are in it."""
    labels = [{"key": "app", "value": "web"}, {"key": "bare"}]
    request = read_request(
        line(
            {
                "args": {"cni": {"labels": labels}},
                "prevResult": {"ips": []},
                "runtimeConfig": {"portMappings": []},
                "unknown": {"of": "another plugin"},
            }
        )
    )
    assert request.command is Command.ADD
    assert request.pod == ("shop", "web-0")
    assert request.args["K8S_POD_UID"] == "7"
    assert request.config.labels == {"app": "web", "bare": ""}
    assert request.config.previous == {"ips": []}
    assert request.config.runtime == {"portMappings": []}
    assert str(request) == "ADD c0ffee eth0"


def test_a_pod_without_a_name_is_called_by_its_container():
    """Runtimes other than Kubernetes say no name."""
    assert read_request(line(args="", containerId="ABC")).pod == ("default", "abc")
    podman = read_request(line(args="K8S_POD_NAMESPACE=crazy_Name;K8S_POD_NAME=crazy_Name"))
    assert podman.pod == ("crazy_Name", "crazy_Name")


def test_gc_says_which_attachments_stay():
    """None named is not the same as none left."""
    valid = [{"containerID": "a", "ifname": "eth0"}]
    named = read_request(line({"cni.dev/valid-attachments": valid}, command="GC"))
    assert named.config.attachments == {("a", "eth0")}
    assert read_request(line(command="GC")).config.attachments is None


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        (b"nonsense\n", Code.NOT_DECODED, "one line"),
        (b"", Code.NOT_DECODED, "one line"),
        (b"[" * 100_000, Code.NOT_DECODED, "one line"),
        (line(command=5), Code.NOT_DECODED, "command"),
        (line(strange="x"), Code.NOT_DECODED, "strange"),
        (line(command="ADDD"), Code.INVALID_ENVIRONMENT, "did you mean ADD"),
        (line(command=""), Code.INVALID_ENVIRONMENT, "CNI_COMMAND"),
        (line(containerId=""), Code.INVALID_ENVIRONMENT, "CNI_CONTAINERID"),
        (line(containerId="../up"), Code.INVALID_ENVIRONMENT, "'../up'"),
        (line(containerId="a" * 129), Code.INVALID_ENVIRONMENT, "CNI_CONTAINERID"),
        (line(netns=""), Code.INVALID_ENVIRONMENT, "CNI_NETNS"),
        (line(netns="relative"), Code.INVALID_ENVIRONMENT, "'relative'"),
        (line(netns="/a\0b"), Code.INVALID_ENVIRONMENT, "null"),
        (line(ifname="a/b"), Code.INVALID_ENVIRONMENT, "CNI_IFNAME"),
        (line(ifname=".."), Code.INVALID_ENVIRONMENT, "CNI_IFNAME"),
        (line(ifname="sixteen-letters-"), Code.INVALID_ENVIRONMENT, "CNI_IFNAME"),
        (line(args="novalue"), Code.INVALID_ENVIRONMENT, "'novalue'"),
        (line(args="K8S_POD_NAME=../../x"), Code.INVALID_ENVIRONMENT, "K8S_POD_NAME"),
        (line("{"), Code.NOT_DECODED, "stdin"),
        (line("[]"), Code.NOT_DECODED, "stdin"),
        (line({"name": 7}), Code.NOT_DECODED, "$.name"),
        (line({"args": {"cni": {"labels": {"a": "b"}}}}), Code.NOT_DECODED, "$.args.cni.labels"),
        (labelled(key="a=b"), Code.INVALID_CONFIG, "labels[1]: 'a=b' is no key"),
        (labelled(key=""), Code.INVALID_CONFIG, "'' is no key"),
        (labelled(key="Example.com/app"), Code.INVALID_CONFIG, "'Example.com/app' is no key"),
        (labelled(key="a" * 64), Code.INVALID_CONFIG, "63"),
        (
            labelled(key="app", value="a b"),
            Code.INVALID_CONFIG,
            "'a b' is no value of the label",
        ),
        (labelled(key="app", value="v" * 64), Code.INVALID_CONFIG, "63"),
        (labelled(key="tier", value="back"), Code.INVALID_CONFIG, "tier is 'front' and 'back'"),
        (line({"name": ""}), Code.INVALID_CONFIG, "no name"),
        (line({"cniVersion": "0.2.0"}), Code.INCOMPATIBLE_VERSION, "'0.2.0'"),
        (line({"cniVersion": "0.3.1"}, command="CHECK"), Code.INCOMPATIBLE_VERSION, "0.4.0"),
        (line({"cniVersion": "1.0.0"}, command="GC"), Code.INCOMPATIBLE_VERSION, "1.1.0"),
    ],
)
def test_what_is_wrong_is_named(sent, code, words):
    """Each has the specification's number, and a sentence that shows the value."""
    with pytest.raises(CniError) as caught:
        read_request(sent)
    assert caught.value.code is code
    assert words in str(caught.value)


def test_a_del_is_not_refused_for_what_it_does_not_need():
    """A pod must be able to end: no namespace any more, and words that make no sense."""
    request = read_request(line(command="DEL", netns="", args="x;K8S_POD_NAME=A/B"))
    assert request.pod == ("default", "c0ffee")


@pytest.mark.parametrize("command", ["DEL", "CHECK", "GC"])
def test_only_an_add_is_refused_for_a_label(command):
    """The others ask for a pod that is there, whatever its labels."""
    assert read_request(labelled(command, key="a=b")).command is Command(command)


@pytest.mark.parametrize(
    ("args", "config", "expected"),
    [
        ("", {}, []),
        ("IP=", {}, []),
        ("IP=10.1.2.3", {}, ["10.1.2.3"]),
        ("IP=10.1.2.3/24,fd00::3", {}, ["10.1.2.3", "fd00::3"]),
        ("", {"args": {"cni": {"ips": ["10.1.2.3/24", "fd00::3/64"]}}}, ["10.1.2.3", "fd00::3"]),
        ("", {"runtimeConfig": {"ips": ["fd00::3", "10.1.2.3"]}}, ["fd00::3", "10.1.2.3"]),
        ("IP=10.1.2.3", {"runtimeConfig": {"ips": ["fd00::3"]}}, ["fd00::3", "10.1.2.3"]),
        ("IP=10.1.2.3", {"args": {"cni": {"ips": ["10.1.2.3/32"]}}}, ["10.1.2.3"]),
    ],
)
def test_addresses_that_a_pod_asks_for_are_read(args, config, expected):
    """By each of the conventions, or by several; prefixes are dropped."""
    asked = read_request(line(config, args=args)).addresses
    assert asked == tuple(map(ip_address, expected))


_WRONG_ADDRESSES = [
    ("IP=10.1.2", {}, Code.INVALID_ENVIRONMENT, "CNI_ARGS: IP: '10.1.2' does not appear"),
    ("IP=10.1.2.3/33", {}, Code.INVALID_ENVIRONMENT, "'10.1.2.3/33' has no length of a prefix"),
    ("IP=::ffff:10.1.2.3", {}, Code.INVALID_ENVIRONMENT, "IPv4 in disguise"),
    ("IP=fe80::1%eth0", {}, Code.INVALID_ENVIRONMENT, "has a scope"),
    ("IP=10.1.2.3,10.1.2.4", {}, Code.INVALID_ENVIRONMENT, "10.1.2.4 is another"),
    (
        "",
        {"args": {"cni": {"ips": "10.1.2.3"}}},
        Code.INVALID_CONFIG,
        "args.cni.ips must be a list",
    ),
    ("", {"args": {"cni": {"ips": ["x"]}}}, Code.INVALID_CONFIG, "args.cni.ips[0]: 'x'"),
    ("", {"runtimeConfig": {"ips": [7]}}, Code.INVALID_CONFIG, "runtimeConfig.ips[0]: 7 is no"),
    ("", {"runtimeConfig": {"ips": {"a": 1}}}, Code.INVALID_CONFIG, "runtimeConfig.ips must be"),
    (
        "IP=10.1.2.3",
        {"runtimeConfig": {"ips": ["10.1.2.4/24"]}},
        Code.INVALID_ENVIRONMENT,
        "IP: a pod has one address of each family: 10.1.2.4 is asked for by runtimeConfig.ips[0]",
    ),
]


@pytest.mark.parametrize(("args", "config", "code", "words"), _WRONG_ADDRESSES)
def test_an_address_that_cannot_be_asked_for_is_named(args, config, code, words):
    """With the word that asks for it."""
    with pytest.raises(CniError) as caught:
        read_request(line(config, args=args))
    assert caught.value.code is code
    assert words in str(caught.value)


@pytest.mark.parametrize("command", ["DEL", "CHECK"])
@pytest.mark.parametrize(("args", "config"), [case[:2] for case in _WRONG_ADDRESSES])
def test_only_an_add_is_refused_for_an_address(command, args, config):
    """A pod must be able to end; it does not ask for any then."""
    assert read_request(line(config, args=args, command=command)).addresses == ()


@given(st.from_regex(r"([a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,20}"))
def test_a_label_that_is_taken_is_one_of_kubernetes(key):
    """No key that is taken has a character by which files and maps tell it from its value."""
    try:
        taken = read_request(labelled(key=key, value="x")).config.labels
    except CniError:
        return
    assert taken[key] == "x"
    assert not set(key) & set("=:, \n\0")


@settings(deadline=None)
@given(st.binary() | st.dictionaries(st.text(), st.text() | st.integers()).map(json.dumps))
def test_no_line_does_worse_than_a_named_error(sent):
    """Whatever a stranger writes, it is a request or a CniError."""
    with suppress(CniError):
        read_request(sent if isinstance(sent, bytes) else sent.encode())


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
)
_KEYS = ["cniVersion", "name", "type", "args", "prevResult", "runtimeConfig"]


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([*_KEYS, "cni.dev/valid-attachments"]), _VALUES),
    st.dictionaries(st.sampled_from(list(FIELDS)), st.text()),
)
def test_values_of_any_kind_are_taken_or_named(config, fields):
    """The same for well-formed requests with values of other kinds."""
    with suppress(CniError):
        assert read_request(line(config, **fields)).pod[1]
