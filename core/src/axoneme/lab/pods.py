# SPDX-License-Identifier: Apache-2.0
"""Pods of a lab: what a kubelet and a container runtime would do, of which only the network counts.

A pod is a network namespace and a cgroup, a manifest for the agents, and a record for us. The
agent makes its network when it is asked by CNI, as on any node.
"""

from __future__ import annotations

import json
import re
import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from attrs import asdict, evolve, field, frozen

from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from axoneme.lab.lab import Lab

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PORT = re.compile(r"(?:([a-z0-9-]{1,15})=)?(\d{1,5})(?:/(TCP|UDP|SCTP))?", re.IGNORECASE)


@frozen
class Port:
    """A port of a pod's container; a policy may call it by its name."""

    number: int
    name: str = ""
    protocol: str = "TCP"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read it as people write it: web=8080/TCP, or a part of that.

        Raises:
            AxonemeError: it is no port.
        """
        found = _PORT.fullmatch(text)
        if not found or not 1 <= int(found[2]) <= 0xFFFF:
            raise AxonemeError(f"{text!r} is no port; write one such as web=8080/TCP")
        return cls(int(found[2]), found[1] or "", (found[3] or "TCP").upper())


def _kubernetes_name(_: object, attribute: Any, value: str) -> None:
    if not _NAME.fullmatch(value):
        raise AxonemeError(
            f"{value!r} is no {attribute.name} of a pod: it has small letters, digits and dashes"
        )


@frozen
class Pod:
    """A pod as it was asked for; `addresses` are those that it got, none before."""

    name: str = field(validator=_kubernetes_name)
    namespace: str = field(validator=_kubernetes_name)
    node: str
    labels: Mapping[str, str] = field(factory=dict)
    ports: tuple[Port, ...] = ()
    addresses: tuple[str, ...] = ()
    container_id: str = field(factory=lambda: secrets.token_hex(16))

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def key(self) -> str:
        """What its files are called; a namespace has no dot."""
        return f"{self.namespace}.{self.name}"

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` has written."""
        record = json.loads(path.read_text())
        ports = tuple(Port(**port) for port in record.pop("ports"))
        return cls(**{**record, "ports": ports, "addresses": tuple(record["addresses"])})

    def save(self, path: Path) -> None:
        """Write it down, in one step."""
        _write(path, json.dumps(asdict(self), indent=2) + "\n")

    def manifest(self) -> str:
        """The pod as Kubernetes would have it, as far as a network asks."""
        import yaml

        ports = [
            {"containerPort": p.number, "protocol": p.protocol}
            | ({"name": p.name} if p.name else {})
            for p in self.ports
        ]
        container = {"name": "main", "image": "none"} | ({"ports": ports} if ports else {})
        document = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": dict(self.labels),
            },
            "spec": {"nodeName": self.node, "containers": [container]},
        }
        return str(yaml.safe_dump(document, sort_keys=False))


def read_pods(lab: Lab) -> tuple[Pod, ...]:
    """The pods of a lab, by their names."""
    return tuple(map(Pod.load, sorted((lab.directory / "pods").glob("[!.]*.json"))))


def make_pod(lab: Lab, pod: Pod) -> Pod:
    """Make a pod, and return it with its addresses; nothing stays if that fails.

    Raises:
        AxonemeError: it is there already, or what its node's agent says.
    """
    from axoneme.lab.cni import run_cni

    record, place = _record(lab, pod), lab.pod_place(pod)
    if record.exists():
        raise AxonemeError(f"pod {pod} is there already; `axoneme lab pod delete` removes it")
    with ExitStack() as undo:
        pod.save(record)
        undo.callback(record.unlink, missing_ok=True)
        place.make()
        undo.callback(place.remove)
        manifest = _manifest(lab, pod)
        _write(manifest, pod.manifest())
        undo.callback(manifest.unlink, missing_ok=True)
        result = run_cni(lab.node(pod.node), pod, place.network, "ADD")
        addresses = tuple(one["address"].partition("/")[0] for one in result["ips"])
        made = evolve(pod, addresses=addresses)
        made.save(record)
        undo.pop_all()
    return made


def end_pod(lab: Lab, pod: Pod) -> None:
    """End what runs in a pod and remove it; its agent is told, now or when it starts."""
    from axoneme.lab.cni import run_cni

    place = lab.pod_place(pod)
    with ExitStack() as steps:  # all of them are tried, the record goes last
        steps.callback(_record(lab, pod).unlink, missing_ok=True)
        steps.callback(_manifest(lab, pod).unlink, missing_ok=True)
        steps.callback(place.remove)
        run_cni(lab.node(pod.node), pod, place.network, "DEL")


def least_used(lab: Lab, pods: Iterable[Pod]) -> str:
    """The node with the fewest pods, the first of several."""
    used = [pod.node for pod in pods]
    return min((node.name for node in lab.nodes), key=used.count)


def _record(lab: Lab, pod: Pod) -> Path:
    return lab.directory / "pods" / f"{pod.key}.json"


def _manifest(lab: Lab, pod: Pod) -> Path:
    return lab.manifests / f"pod.{pod.key}.yaml"


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}")
    draft.write_text(text)
    draft.replace(path)
