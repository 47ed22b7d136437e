# SPDX-License-Identifier: Apache-2.0
"""A directory of manifests: the same YAML that a cluster takes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from axoneme.errors import Problem
from axoneme.model import PodIPPool
from axoneme.sources._last_good import LastGood
from axoneme.sources._reader import FilesReader
from axoneme.sources.manifests._file import NodeCidrs, read_manifest_file
from axoneme.sources.manifests.records import Manifests, NamespaceRecord, PodRecord

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.model.node import Network
    from axoneme.model.policy import Policy
    from axoneme.sources.manifests._file import ManifestFile, ManifestItem

_SUFFIXES = (".yaml", ".yml", ".json")


class ManifestReader:
    """Reads a directory again and again, and parses only those files that have changed.

    While a file is wrong, what it said before stays in force, all of it: half of what somebody
    meant may be less than nothing of it. With the directory `last_good`, which is no other
    reader's, that is also so for a reader that begins while a file is wrong.
    """

    def __init__(self, directory: Path, last_good: Path | None = None) -> None:
        self.directory = directory
        self._reader = FilesReader(
            directory,
            read_manifest_file,
            _SUFFIXES,
            keep=True,
            last_good=None if last_good is None else LastGood(last_good),
        )

    def read(self) -> Manifests:
        """What all files say. Of two resources with one name the first stays, by file and line."""
        files = self._reader.read()
        merged = _Merged(self.directory)
        for name, file in files.values.items():
            merged.add(name, file)
        return merged.result(files.problems)

    def remember(self) -> None:
        """Let the next reader know what was read; call it when that is in effect."""
        self._reader.remember()


def read_manifests(directory: Path) -> Manifests:
    """Read a directory once."""
    return ManifestReader(directory).read()


class _Merged:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._places: dict[tuple[str, str, str], tuple[str, ManifestItem]] = {}
        self._problems: list[Problem] = []
        self._namespaces: dict[str, NamespaceRecord] = {}
        self._pods: dict[tuple[str, str], PodRecord] = {}
        self._policies: list[Policy] = []
        self._pools: dict[str, PodIPPool] = {}
        self._node_cidrs: dict[str, tuple[Network, ...]] = {}
        self._ignored: Counter[str] = Counter()

    def add(self, name: str, file: ManifestFile) -> None:
        self._ignored += file.ignored
        for item in file.items:
            key = item.kind, item.namespace, item.name
            where, first = self._places.setdefault(key, (name, item))
            if first is not item:
                self._refuse(item, name, f"{where}:{first.line}")
                continue
            value: Any = item.value
            if isinstance(value, NamespaceRecord):
                self._namespaces[value.name] = value
            elif isinstance(value, PodRecord):
                self._pods[value.namespace, value.name] = value
            elif isinstance(value, PodIPPool):
                self._pools[value.name] = value
            elif isinstance(value, NodeCidrs):
                self._node_cidrs[value.node] = value.networks
            else:
                self._policies += value

    def _refuse(self, item: ManifestItem, name: str, where: str) -> None:
        called = f"{item.namespace}/{item.name}" if item.namespace else item.name
        text = f"{item.kind} {called} is at {where} already, and stays as it is there"
        self._problems.append(
            Problem("metadata.name", str(self._directory / name), item.line, text)
        )

    def result(self, problems: tuple[Problem, ...]) -> Manifests:
        return Manifests(
            self._namespaces,
            self._pods,
            tuple(self._policies),
            dict(sorted(self._ignored.items())),
            (*problems, *self._problems),
            self._pools,
            self._node_cidrs,
        )
