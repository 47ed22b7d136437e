# SPDX-License-Identifier: Apache-2.0
"""Labels of endpoints, with where each is from before its key: k8s:app, reserved:host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

K8S = "k8s"
RESERVED_SOURCE = "reserved"
CIDR_SOURCE = "cidr"
#: A selector's key with this source means the label of whatever source.
ANY_SOURCE = "any"

NAMESPACE: Final = "k8s:io.kubernetes.pod.namespace"
NAMESPACE_LABEL: Final = "k8s:io.cilium.k8s.namespace.labels."
SERVICE_ACCOUNT: Final = "k8s:io.cilium.k8s.policy.serviceaccount"
CLUSTER: Final = "k8s:io.cilium.k8s.policy.cluster"
#: Keys that begin with one of these say where a pod is: what the pod itself says of it is no label.
_NOT_OWN: Final = ("io.kubernetes.pod.namespace", "io.cilium.k8s.")

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_KEY = re.compile(rf"(?:{_DOMAIN}/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")

#: What Kubernetes puts on each pod anew: a pod of its own identity each would be the result.
LEFT_OUT: Final = frozenset(
    {
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "controller-revision-hash",
        "controller-uid",
        "pod-template-generation",
        "pod-template-hash",
        "statefulset.kubernetes.io/pod-name",
    }
)


class Labels(Mapping[str, str]):
    """A set of labels that never changes: the same labels are equal and hash alike.

    A key any:app finds the label app of whatever source.
    """

    __slots__ = ("__dict__", "_hash", "_labels")

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = dict(sorted(labels.items()))
        self._hash = hash(tuple(self._labels.items()))

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Labels:
        """Return the labels that a mapping has, in which every key must have its source."""
        for key in labels:
            source, colon, name = key.partition(":")
            if not (source and colon and name) or source == ANY_SOURCE:
                raise ValueError(f"label {key!r} must begin with where it is from, as k8s:{key}")
        return cls(labels)

    @classmethod
    def parse(cls, text: str) -> Labels:
        """Return the labels in what str() made of them."""
        pairs = (item.partition("=") for item in text.split(",") if item)
        return cls.of({key: value for key, _, value in pairs})

    @cached_property
    def _of_any_source(self) -> dict[str, str]:
        prefix = f"{ANY_SOURCE}:"
        return {
            prefix + key.partition(":")[2]: value for key, value in reversed(self._labels.items())
        }

    def __getitem__(self, key: str) -> str:
        if key in self._labels:
            return self._labels[key]
        return self._of_any_source[key]

    def __contains__(self, key: object) -> bool:
        return key in self._labels or key in self._of_any_source

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self._labels == other._labels if isinstance(other, Labels) else NotImplemented

    def __reduce__(self) -> tuple[type[Labels], tuple[dict[str, str]]]:
        return Labels, (self._labels,)

    def __str__(self) -> str:
        """Return the labels in order: k8s:app=web,k8s:tier=front."""
        return ",".join(f"{key}={value}" for key, value in self._labels.items())

    def __repr__(self) -> str:
        return f"Labels({str(self)!r})"


def is_label_key(text: str) -> bool:
    """Whether Kubernetes takes a text as the key of a label: app, or example.com/app."""
    return _KEY.fullmatch(text) is not None


def is_label_value(text: str) -> bool:
    """Whether Kubernetes takes a text as the value of a label, which may be empty."""
    return _VALUE.fullmatch(text) is not None


def pod_labels(
    namespace: str,
    labels: Mapping[str, str],
    namespace_labels: Mapping[str, str],
    service_account: str = "default",
    cluster: str = "default",
) -> Labels:
    """Return the labels that make a pod's identity.

    Those in LEFT_OUT do not count. Nor do those that would put the pod elsewhere: a pod must not
    pass for one of a namespace that has other labels.
    """
    counted = {k: v for k, v in labels.items() if k not in LEFT_OUT and not k.startswith(_NOT_OWN)}
    kept = {f"{K8S}:{key}": value for key, value in counted.items()}
    of_namespace = {NAMESPACE_LABEL + key: value for key, value in namespace_labels.items()}
    own = {NAMESPACE: namespace, SERVICE_ACCOUNT: service_account, CLUSTER: cluster}
    return Labels.of(kept | of_namespace | own)


def own_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that a pod itself has, of those that make its identity."""
    bare = {key.removeprefix(f"{K8S}:"): value for key, value in labels.items()}
    return {key: value for key, value in bare.items() if not key.startswith(_NOT_OWN)}


def short_labels(labels: Mapping[str, str]) -> str:
    """Return labels as people tell pods apart: app=web in shop."""
    own = ",".join(f"{key}={value}" if value else key for key, value in own_labels(labels).items())
    if NAMESPACE not in labels:
        return own
    return f"{own or 'no labels'} in {labels[NAMESPACE]}"
