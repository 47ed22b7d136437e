# SPDX-License-Identifier: Apache-2.0
"""What a node's CNI is put together from: addresses, identities, endpoints and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.model import Address, Endpoint


class PodAddresses(Protocol):
    """The node's addresses."""

    async def allocate(
        self,
        owner: str,
        pod: tuple[str, str],
        labels: Mapping[str, str],
        addresses: tuple[Address, ...],
    ) -> tuple[Address, ...]:
        """Return an owner's addresses, the same ones when asked again; AxonemeError if none.

        `addresses` are those that it asks for.
        """
        ...

    def release(self, owner: str) -> None:
        """Take back an owner's addresses; nothing happens if it has none."""
        ...

    def problem(self) -> str:
        """Return why no address can be had, or nothing."""
        ...


class Identities(Protocol):
    """The numbers that stand for what pods are."""

    def of(self, namespace: str, name: str, labels: Mapping[str, str]) -> int:
        """Return the identity of a pod; `labels` are what the runtime said beside."""
        ...


class EndpointStore(Protocol):
    """Where the cluster learns of this node's endpoints."""

    def new_id(self) -> int:
        """Return a number that no endpoint of this node has."""
        ...

    def write(self, endpoint: Endpoint) -> None:
        """Add or replace an endpoint."""
        ...

    def delete(self, namespace: str, name: str) -> None:
        """Remove an endpoint; nothing happens if it is not there."""
        ...


class PodDatapath(Protocol):
    """The programs of pods, and what they are given to know."""

    def attach(self, endpoint: Endpoint) -> None:
        """Put an endpoint in effect, with its policy."""
        ...

    def detach(self, endpoint_id: int) -> None:
        """Take an endpoint out of effect; nothing happens if it is not there."""
        ...

    def faults(self, endpoint: Endpoint) -> list[str]:
        """Send probes through an endpoint's programs: what is not as it must be."""
        ...

    def problem(self) -> str:
        """Return why no endpoint could be put in effect, or nothing."""
        ...
