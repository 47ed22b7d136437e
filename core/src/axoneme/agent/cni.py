# SPDX-License-Identifier: Apache-2.0
"""What the agent does for a container runtime: pods get addresses, a link and a datapath.

An attachment is written down before its pod is touched. So whatever an ADD that failed or an agent
that was killed has begun is known, and undone: at once, by the next agent, or by the DEL.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from attrs import define, field

from axoneme.cni import CniError, Code
from axoneme.errors import AxonemeError
from axoneme.net import Netlink, NetworkError

from .cni_values import (
    attachment_of,
    differences,
    endpoint_of,
    node_ifname_of,
    owner_of,
    pod_of,
    result_of,
    wiring_of,
)
from .pod_links import keep_links
from .pods import attach_pod, check_pod, detach_pod

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from axoneme.agent.cni_parts import EndpointStore, Identities, PodAddresses, PodDatapath
    from axoneme.agent.mtu import MtuBudget
    from axoneme.agent.pods import PodWiring
    from axoneme.cni import Attachment, Attachments, CniRequest, CniResult
    from axoneme.model import Address
    from axoneme.net import Link

_log = logging.getLogger(__name__)
#: Links that are made or deleted at one time; the kernel has one lock for all of them.
_THREADS = 2


@define
class PodNetwork:
    """The CNI of one node: a `CniHandler`.

    It is called in the node's namespaces by one thread, the one of the event loop; only the
    kernel is waited for elsewhere.
    """

    netlink: Netlink
    attachments: Attachments
    addresses: PodAddresses
    identities: Identities
    endpoints: EndpointStore
    datapath: PodDatapath
    budget: MtuBudget
    node_addresses: tuple[Address, ...] = ()
    _locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = field(
        factory=WeakValueDictionary, init=False
    )
    _threads: ThreadPoolExecutor = field(
        factory=lambda: ThreadPoolExecutor(_THREADS, "cni"), init=False
    )

    async def recover(self) -> list[str]:
        """Undo what an earlier agent had begun, and forget pods that are gone; what was done.

        Call it before endpoints are put in effect and requests are served.
        """
        done = []
        for one in self.attachments.all():
            if one.complete and self.netlink.find_link(one.node_ifname) is not None:
                continue
            why = "its link is gone" if one.complete else "its ADD had not come to its end"
            try:
                await self._remove(one)
            except (AxonemeError, OSError) as error:  # it stays on the list: its DEL tries again
                done.append(f"cannot remove {one.namespace}/{one.name}, though {why}: {error}")
            else:
                done.append(f"removed {one.namespace}/{one.name}: {why}")
        return done

    def repair(self) -> list[str]:
        """Make the node's ends of pods' links as their ADD left them; what was not."""
        with Netlink() as netlink:
            return keep_links(
                netlink, [self._wiring(one) for one in self.attachments.all() if one.complete]
            )

    def close(self) -> None:
        """Let go of the threads; what is wired stays."""
        self._threads.shutdown()

    async def add(self, request: CniRequest) -> CniResult:
        """Make a pod's link, or find that it is there as it should be."""
        async with self._alone(request.container_id, request.ifname):
            made = self.attachments.get(request.container_id, request.ifname)
            if made is not None:
                if await self._is_whole(made, request.netns):
                    return result_of(made)
                await self._remove(made)
            await self._remove_others(request)
            attachment = await self._begin(request)
            try:
                await self._make(attachment)
            except BaseException:
                await self._undo(attachment)
                raise
            return result_of(attachment)

    async def delete(self, request: CniRequest) -> None:
        """Remove a pod's link and all that was kept for it."""
        async with self._alone(request.container_id, request.ifname):
            made = self.attachments.get(request.container_id, request.ifname)
            if made is not None:
                await self._remove(made)
            else:
                await self._detach(node_ifname_of(request))

    async def check(self, request: CniRequest) -> None:
        """Compare what is there with what ADD made and said."""
        async with self._alone(request.container_id, request.ifname):
            made = self.attachments.get(request.container_id, request.ifname)
            if made is None or not made.complete:
                raise CniError(Code.UNKNOWN_CONTAINER, "there was no ADD for this device")
            wrong = await self._threaded(check_pod, self.netlink, self._wiring(made))
            wrong += differences(request.config.previous, made)
            link = self.netlink.find_link(made.node_ifname)
            wrong += self.datapath.faults(endpoint_of(made, link)) if link else []
            if wrong:
                raise CniError(Code.DIFFERENT, "the pod is not as ADD left it; " + "; ".join(wrong))

    async def status(self, request: CniRequest) -> None:  # noqa: ARG002 - of no container
        """Say whether a pod could be made now."""
        problem = self.datapath.problem() or self.addresses.problem()
        if problem:
            raise CniError(Code.NOT_AVAILABLE, problem)

    async def gc(self, request: CniRequest) -> None:
        """Remove the network's attachments that the runtime does not know of."""
        valid = request.config.attachments
        if valid is None:
            raise CniError(
                Code.INVALID_CONFIG, "the configuration has no cni.dev/valid-attachments"
            )
        errors = []
        for one in self.attachments.all():
            if one.network != request.config.name or one.key in valid:
                continue
            async with self._alone(*one.key):
                try:
                    if self.attachments.get(*one.key) is not None:
                        await self._remove(one)
                except AxonemeError as error:
                    errors.append(f"{one.namespace}/{one.name}: {error}")
        if errors:
            raise CniError(Code.FAILED, "; ".join(errors))

    # What they are made of

    async def _begin(self, request: CniRequest) -> Attachment:
        """Find what the pod is to have, and write it down; nothing of it is there yet."""
        owner, pod, labels = owner_of(request), pod_of(request), request.config.labels
        try:
            addresses = await self.addresses.allocate(owner, pod, labels, request.addresses)
        except AxonemeError as error:
            raise CniError(Code.NO_ADDRESSES, str(error)) from error
        if not addresses:
            raise CniError(Code.NO_ADDRESSES, self.addresses.problem() or "there are no addresses")
        try:
            identity = self.identities.of(*pod, labels)
            number = self.endpoints.new_id()
            attachment = attachment_of(request, number, addresses, identity, self.budget)
            self.attachments.put(attachment)
        except BaseException:
            self.addresses.release(owner)
            raise
        return attachment

    async def _make(self, attachment: Attachment) -> None:
        wiring = self._wiring(attachment)
        try:
            link = await self._threaded(_wire, self.netlink, wiring)
        except NetworkError as error:
            raise CniError(Code.NOT_WIRED, str(error)) from error
        endpoint = endpoint_of(attachment, link)
        # From here on nothing waits: whoever compares the store with the datapath finds them equal.
        try:
            self.datapath.attach(endpoint)
        except AxonemeError as error:
            raise CniError(Code.NOT_ATTACHED, str(error)) from error
        faults = self.datapath.faults(endpoint)
        if faults:
            raise CniError(Code.WRONG_VERDICT, "; ".join(faults))
        self.endpoints.write(endpoint)
        self.attachments.put(attachment.completed())

    async def _undo(self, attachment: Attachment) -> None:
        try:
            await self._remove(attachment)
        except (AxonemeError, OSError) as error:
            _log.error("cannot undo all of %s: %s", attachment.owner, error)

    async def _remove(self, attachment: Attachment) -> None:
        """Remove all of an attachment; what cannot be removed keeps it on the list."""
        self.datapath.detach(attachment.endpoint)
        self.endpoints.delete(attachment.namespace, attachment.name)
        await self._detach(attachment.node_ifname)
        self.addresses.release(attachment.owner)
        self.attachments.delete(attachment)

    async def _remove_others(self, request: CniRequest) -> None:
        """Remove what a pod's earlier container has left: a name stands for one pod."""
        while others := [
            one
            for one in self.attachments.of_pod(*pod_of(request))
            if one.key != (request.container_id, request.ifname)
        ]:
            async with self._alone(*others[0].key):
                if self.attachments.get(*others[0].key) is not None:
                    await self._remove(others[0])

    async def _is_whole(self, made: Attachment, netns: str) -> bool:
        if not made.complete or made.netns != netns:
            return False
        return not await self._threaded(check_pod, self.netlink, self._wiring(made))

    async def _detach(self, node_ifname: str) -> None:
        try:
            await self._threaded(detach_pod, self.netlink, node_ifname)
        except NetworkError as error:
            raise CniError(Code.NOT_WIRED, str(error)) from error

    async def _threaded(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    @asynccontextmanager
    async def _alone(self, container_id: str, ifname: str) -> AsyncIterator[None]:
        """Have no other request at work on a device."""
        lock = self._locks.setdefault((container_id, ifname), asyncio.Lock())
        async with lock:
            yield

    def _wiring(self, attachment: Attachment) -> PodWiring:
        return wiring_of(attachment, self.node_addresses)


def _wire(netlink: Netlink, wiring: PodWiring) -> Link:
    """Make a pod's link in place of any that an earlier try has left."""
    detach_pod(netlink, wiring.node_ifname)
    return attach_pod(netlink, wiring)
