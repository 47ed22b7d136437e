# SPDX-License-Identifier: Apache-2.0
"""Probe packets through a pod's programs: they change nothing, and each stage's answer is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from axoneme.datapath import Verdict
from axoneme.errors import AxonemeError
from axoneme.model.policy import UDP

from .frames import Flow, frame
from .pods import GATEWAY4, GATEWAY6

if TYPE_CHECKING:
    from axoneme.agent.engine import Engine
    from axoneme.model import Address, Endpoint

_DISCARD = 9
#: The stages that may refuse a packet which is all right: it is their work.
_MAY_DROP = frozenset({"policy"})


@define
class EnginePods:
    """Pods in an engine: a `PodDatapath` without policy."""

    engine: Engine

    def attach(self, endpoint: Endpoint) -> None:
        """Attach the pod's programs and tell the plugins."""
        self.engine.add_endpoint(endpoint)

    def detach(self, endpoint_id: int) -> None:
        """Detach them."""
        self.engine.remove_endpoint(endpoint_id)

    def problem(self) -> str:
        """Say whether there are programs for pods."""
        if "from_pod" in self.engine.datapath.assembly.programs:
            return ""
        return "no program is loaded for pods; see `axoneme status`"

    def faults(self, endpoint: Endpoint) -> list[str]:
        """Probe a packet of the pod and one to it, for each of its addresses.

        A policy may refuse them; any other drop is a fault, and so is a device without programs.
        """
        if self.engine.datapath.endpoints.get(endpoint.id) is None:
            return [f"{endpoint} has no programs attached"]
        found = [str(drift) for drift in self.engine.datapath.drift(endpoint.ifname)]
        for address in endpoint.addresses:
            gateway: Address = GATEWAY4 if address.version == 4 else GATEWAY6
            out = frame(datagram(address, gateway), endpoint.mac, endpoint.node_mac)
            back = frame(datagram(gateway, address), endpoint.node_mac, endpoint.mac)
            found += self._fault("from_pod", out, endpoint, f"from {address}")
            found += self._fault("to_pod", back, endpoint, f"to {address}")
        return found

    def _fault(self, trunk: str, packet: bytes, endpoint: Endpoint, what: str) -> list[str]:
        datapath = self.engine.datapath
        try:
            run, steps = datapath.probe(trunk, packet, ifindex=endpoint.ifindex)
        except AxonemeError as error:
            return [str(error)]
        except OSError as error:
            return [f"a probe {what} cannot be sent through {trunk}: {error}"]
        if run.verdict is not Verdict.DROP:
            return []
        last = steps[-1] if steps else None
        if last is not None and last.stage in _MAY_DROP:
            return []
        by = f"stage {last.stage}, reason {last.reason}" if last else "the trunk itself"
        return [f"a probe {what} is dropped in {trunk} by {by}"]


def datagram(source: Address, target: Address) -> bytes:
    """An empty datagram to the port discard."""
    return Flow(source, target, UDP, _DISCARD, _DISCARD).packet()
