# SPDX-License-Identifier: Apache-2.0
"""What others write into the source, put in effect as soon as they have."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from attrs import define, field

from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from axoneme.sources.watcher import Watcher

    from .cluster import Cluster
    from .cni import PodNetwork
    from .ipam import PodIpam
    from .kernel_settings import KernelSettings
    from .metrics import Measures
    from .notes import Notes

_NODES: Final = "nodes"
_ENDPOINTS: Final = "endpoints"
_MANIFESTS: Final = "manifests"


@define
class Following:
    """Makes nodes, endpoints and manifests those of the source."""

    cluster: Cluster
    pods: PodNetwork
    ipam: PodIpam
    settings: KernelSettings
    measures: Measures
    notes: Notes
    #: What has changed and is not in effect yet: what fails unforeseen is done once more.
    _owed: set[str] = field(factory=set, init=False)

    def directories(self) -> dict[str, Path]:
        """What is to be watched for it."""
        source = self.cluster.source
        return {
            _NODES: source.nodes.directory,
            _ENDPOINTS: source.endpoints,
            _MANIFESTS: self.cluster.reader.directory,
        }

    async def run(self, watcher: Watcher) -> None:
        """Follow what the watcher of these directories tells, until it is cancelled."""
        async with aclosing(aiter(watcher)) as changes:
            self._pay()
            async for changed in changes:
                self._owed |= changed
                self._pay()

    def _pay(self) -> None:
        try:
            self._follow(self._owed)
        except (AxonemeError, OSError) as error:
            self.notes.note(str(error))
        self._owed.clear()

    def begin(self) -> None:
        """Put everything in effect, before the changes.

        Raises:
            AxonemeError: something of it cannot be.
        """
        self._sync_nodes()
        self.cluster.sync_manifests()
        self.ipam.sync()
        self.cluster.sync_endpoints()
        self.note_problems()

    def look_again(self) -> tuple[()]:
        """Read nodes and endpoints once more, should a change not have been told."""
        self._follow({_NODES, _ENDPOINTS})
        return ()

    def _follow(self, changed: Collection[str]) -> None:
        if _NODES in changed:
            self._sync_nodes()
        relabelled = _MANIFESTS in changed and self._sync_manifests()
        if relabelled or _NODES in changed:
            self.cluster.sync_endpoints()
        elif _ENDPOINTS in changed:
            self.cluster.follow_endpoints()
        if _NODES in changed or _MANIFESTS in changed:
            self.ipam.sync()
        self.note_problems()

    def _sync_manifests(self) -> bool:
        with self.measures.policy_change():
            return self.cluster.sync_manifests()

    def _sync_nodes(self) -> None:
        self.cluster.sync_nodes()
        self.pods.budget = self.cluster.engine.network.budget()

    def note_problems(self) -> None:
        """Note what the source says that cannot be used."""
        for problem in (*self.cluster.problems, *self.settings.problems):
            self.notes.note(problem)
