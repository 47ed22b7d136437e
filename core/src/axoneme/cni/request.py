# SPDX-License-Identifier: Apache-2.0
"""A CNI request as a value: everything in it has been checked once, when it was read."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import field, frozen

from axoneme.cni.asked import asked_addresses
from axoneme.cni.errors import CniError, Code
from axoneme.cni.executable import VERSIONS
from axoneme.errors import nearest
from axoneme.model.labels import is_label_key, is_label_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from axoneme.model import Address

_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*")
_IFNAME = re.compile(r"(?!\.{1,2}$)[^/:\s\0]{1,15}")
_LONGEST_CONTAINER = 128
#: Kubernetes allows less; podman says the names of its containers here.
_POD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]{0,252}")
_POD_WORDS = ("K8S_POD_NAMESPACE", "K8S_POD_NAME")


class Command(StrEnum):
    """What a runtime can ask for; VERSION is answered by the executable itself."""

    ADD = "ADD"
    DEL = "DEL"
    CHECK = "CHECK"
    STATUS = "STATUS"
    GC = "GC"


#: The first version of the specification that has a command.
_SINCE = {Command.CHECK: "0.4.0", Command.STATUS: "1.1.0", Command.GC: "1.1.0"}
_OF_AN_ATTACHMENT = frozenset({Command.ADD, Command.DEL, Command.CHECK})


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """What the executable sends."""

    command: str
    containerId: str = ""  # noqa: N815 - as CNI spells it
    netns: str = ""
    ifname: str = ""
    args: str = ""
    path: str = ""
    config: str = ""


class _Label(msgspec.Struct):
    key: str
    value: str = ""


class _CniArgs(msgspec.Struct):
    labels: list[_Label] = []
    ips: Any = None


class _Args(msgspec.Struct):
    cni: _CniArgs = msgspec.field(default_factory=_CniArgs)


class _Attachment(msgspec.Struct):
    containerID: str  # noqa: N815 - as CNI spells it
    ifname: str


class _Config(msgspec.Struct):
    """What a network configuration says to us; other plugins' keys are passed over."""

    cniVersion: str = ""  # noqa: N815 - as CNI spells it
    name: str = ""
    type: str = ""
    args: _Args = msgspec.field(default_factory=_Args)
    prevResult: dict[str, Any] = {}  # noqa: N815 - as CNI spells it
    runtimeConfig: dict[str, Any] = {}  # noqa: N815 - as CNI spells it
    attachments: list[_Attachment] | None = msgspec.field(
        default=None, name="cni.dev/valid-attachments"
    )


@frozen
class NetworkConfig:
    """The network's configuration; `attachments` are those that GC leaves, None if none are named.

    `labels` are those of the convention args.cni.labels, which an ADD has.
    """

    version: str
    name: str
    labels: Mapping[str, str] = field(factory=dict)
    previous: Mapping[str, Any] = field(factory=dict)
    runtime: Mapping[str, Any] = field(factory=dict)
    attachments: frozenset[tuple[str, str]] | None = None


@frozen
class CniRequest:
    """One request. STATUS and GC are of no container: their texts are empty.

    `args` are the words of CNI_ARGS, such as K8S_POD_NAME. `addresses` are those that the pod of
    an ADD is to have, of each family one or none.
    """

    command: Command
    container_id: str
    netns: str
    ifname: str
    config: NetworkConfig
    args: Mapping[str, str] = field(factory=dict)
    addresses: tuple[Address, ...] = ()

    @property
    def pod(self) -> tuple[str, str]:
        """The pod's namespace and name; those of no Kubernetes pod are called by the container."""
        name = self.args.get("K8S_POD_NAME", "") or self.container_id.lower()
        return self.args.get("K8S_POD_NAMESPACE", "") or "default", name

    def __str__(self) -> str:
        """Return what it asks for, for a log."""
        words = (self.command, self.container_id[:12], self.ifname)
        return " ".join(filter(None, words))


def read_request(line: bytes) -> CniRequest:
    """Read what the executable sent.

    Raises:
        CniError: what is wrong, by name.
    """
    try:
        sent = msgspec.json.decode(line, type=_Line)
    except (ValueError, RecursionError) as error:
        raise CniError(
            Code.NOT_DECODED, "send the JSON object of axoneme-cni in one line", details=str(error)
        ) from None
    if sent.command not in list(Command):
        hint = nearest(sent.command, Command)
        meant = f"; did you mean {hint}?" if hint else ""
        raise CniError(
            Code.INVALID_ENVIRONMENT,
            f"CNI_COMMAND must be VERSION, {', '.join(Command)}, not {sent.command!r}{meant}",
        )
    command = Command(sent.command)
    decoded = _decode_config(sent.config)
    config = _read_config(command, decoded)
    if command in _OF_AN_ATTACHMENT:
        _check_environment(command, sent)
    words = _words(sent.args, command)
    # Only an ADD is refused for an address that is wrong: the others ask for a pod that has one.
    addresses = (
        asked_addresses(words, decoded.args.cni.ips, config.runtime)
        if command is Command.ADD
        else ()
    )
    return CniRequest(command, sent.containerId, sent.netns, sent.ifname, config, words, addresses)


def _decode_config(text: str) -> _Config:
    try:
        return msgspec.json.decode(text, type=_Config)
    except (ValueError, RecursionError) as error:
        raise CniError(
            Code.NOT_DECODED,
            "the network configuration on stdin cannot be read",
            details=str(error),
        ) from None


def _read_config(command: Command, config: _Config) -> NetworkConfig:
    if config.cniVersion not in VERSIONS:
        raise CniError(
            Code.INCOMPATIBLE_VERSION,
            f"cniVersion {config.cniVersion!r} is not known; use one of {', '.join(VERSIONS)}",
        )
    since = _SINCE.get(command, VERSIONS[0])
    if VERSIONS.index(config.cniVersion) < VERSIONS.index(since):
        raise CniError(
            Code.INCOMPATIBLE_VERSION,
            f"{command} came with cniVersion {since}, and the configuration has "
            f"{config.cniVersion}",
        )
    if not config.name and command is not Command.STATUS:
        raise CniError(Code.INVALID_CONFIG, "the network configuration has no name")
    return NetworkConfig(
        config.cniVersion,
        config.name,
        _labels(config.args.cni.labels, command),
        config.prevResult,
        config.runtimeConfig,
        None
        if config.attachments is None
        else frozenset((one.containerID, one.ifname) for one in config.attachments),
    )


def _labels(sent: Iterable[_Label], command: Command) -> dict[str, str]:
    """The labels by key, as Kubernetes takes them; only an ADD is refused for one that is wrong."""
    labels: dict[str, str] = {}
    if command is not Command.ADD:
        return labels
    for number, label in enumerate(sent):
        at = f"args.cni.labels[{number}]"
        if not is_label_key(label.key):
            raise CniError(
                Code.INVALID_CONFIG,
                f"{at}: {label.key[:64]!r} is no key of a label: up to 63 letters, digits, '-', "
                "'_' and '.', and before them a domain and a '/' if you like",
            )
        if not is_label_value(label.value):
            raise CniError(
                Code.INVALID_CONFIG,
                f"{at}: {label.value[:64]!r} is no value of the label {label.key}: up to 63 "
                "letters, digits, '-', '_' and '.'",
            )
        if labels.setdefault(label.key, label.value) != label.value:
            raise CniError(
                Code.INVALID_CONFIG,
                f"{at}: the label {label.key} is {labels[label.key]!r} and {label.value!r}",
            )
    return labels


def _check_environment(command: Command, sent: _Line) -> None:
    wrong = []
    if not _CONTAINER.fullmatch(sent.containerId) or len(sent.containerId) > _LONGEST_CONTAINER:
        wrong.append(
            f"CNI_CONTAINERID must be letters, digits, '_', '.' and '-', at most "
            f"{_LONGEST_CONTAINER}, not {sent.containerId!r}"
        )
    if not _IFNAME.fullmatch(sent.ifname):
        wrong.append(f"CNI_IFNAME must be a device's name of 1 to 15 characters: {sent.ifname!r}")
    if command is not Command.DEL and not sent.netns.startswith("/"):
        wrong.append(f"CNI_NETNS must be the path of a network namespace, not {sent.netns!r}")
    if "\0" in sent.netns:
        wrong.append("CNI_NETNS has a null byte")
    if wrong:
        raise CniError(Code.INVALID_ENVIRONMENT, "; ".join(wrong))


def _words(text: str, command: Command) -> dict[str, str]:
    """The words of CNI_ARGS; those that end a pod are not refused for a word that is wrong."""
    words = {}
    for word in filter(None, text.split(";")):
        key, equals, value = word.partition("=")
        if not (key and equals):
            if command is Command.DEL:
                continue
            raise CniError(
                Code.INVALID_ENVIRONMENT, f"CNI_ARGS must be KEY=VALUE;KEY=VALUE: {word!r} is not"
            )
        words[key] = value
    for key in _POD_WORDS:
        # They become names of files.
        if words.get(key) and not _POD.fullmatch(words[key]):
            if command is not Command.DEL:
                reason = f"CNI_ARGS: {key}={words[key]!r} is no name of a pod"
                raise CniError(Code.INVALID_ENVIRONMENT, reason)
            del words[key]
    return words
