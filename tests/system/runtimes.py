# SPDX-License-Identifier: Apache-2.0
"""A node whose pods come through the CNI, and a runtime that starts the executable for them."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
from concurrent.futures import Future
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self

from attrs import define, field, frozen

from axoneme.agent.cni import PodNetwork
from axoneme.agent.mtu import MtuBudget
from axoneme.agent.probes import EnginePods
from axoneme.cni import Attachments, install, serve_cni
from axoneme.errors import AxonemeError
from axoneme.net import Netlink
from axoneme.net.namespaces import CLONE_NEWNET, unshare
from axoneme.testing import Node, Place
from axoneme.testing._cgroups import create_cgroup, enter_cgroup
from axoneme.testing._traffic import echo
from axoneme.testing.pipelines import Pipeline

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from axoneme.model import Address, Endpoint
    from axoneme.testing import Server
    from axoneme.testing._traffic import Reply

_SECONDS = 90
_ECHO = 9000
_numbers = itertools.count()


@define
class Pool:
    """Addresses in a row, as many as `size`."""

    number: int
    size: int = 250
    owners: dict[str, tuple[Address, ...]] = field(factory=dict)

    async def allocate(self, owner: str, *_: object) -> tuple[Address, ...]:
        """The owner's, or the next that nobody has."""
        if owner not in self.owners:
            taken = set(self.owners.values())
            row = (self._pair(index) for index in range(1, self.size + 1))
            free = next((pair for pair in row if pair not in taken), None)
            if free is None:
                raise AxonemeError(f"the pool's {self.size} addresses are all in use")
            self.owners[owner] = free
        return self.owners[owner]

    def _pair(self, index: int) -> tuple[Address, ...]:
        return ip_address(f"10.{self.number}.0.{index}"), ip_address(f"fd00:10::{index:x}")

    def release(self, owner: str) -> None:
        """Take an owner's back."""
        self.owners.pop(owner, None)

    def problem(self) -> str:
        """Whether it has run dry."""
        return "" if len(self.owners) < self.size else "the pool has run dry"


@define
class Identities:
    """A number for each set of labels."""

    numbers: dict[frozenset[tuple[str, str]], int] = field(factory=dict)

    def of(self, namespace: str, name: str, labels: dict[str, str]) -> int:
        """The number of a namespace with labels."""
        key = frozenset({("namespace", namespace), *labels.items()})
        return self.numbers.setdefault(key, 256 + len(self.numbers))


@define
class Store:
    """The endpoints of the node, by name."""

    endpoints: dict[tuple[str, str], Endpoint] = field(factory=dict)
    last: int = 0

    def new_id(self) -> int:
        """A number that is new."""
        self.last += 1
        return self.last

    def write(self, endpoint: Endpoint) -> None:
        """Keep an endpoint."""
        self.endpoints[endpoint.namespace, endpoint.name] = endpoint

    def delete(self, namespace: str, name: str) -> None:
        """Forget an endpoint."""
        self.endpoints.pop((namespace, name), None)


class Container(Place):
    """A network namespace as a runtime makes one; `netns` is its path."""

    def __init__(self, container_id: str) -> None:
        self.id = container_id
        cgroup = create_cgroup(f"container{next(_numbers)}")
        super().__init__(container_id, cgroup, partial(_enter, cgroup))
        self.netns = f"/proc/{os.getpid()}/fd/{self.network}"

    def links(self) -> set[str]:
        """The names of its devices."""
        with Netlink(self.network) as netlink:
            return {link.name for link in netlink.links()} - {"lo", "sit0", "ip6tnl0"}

    def connected(self, address: Address) -> socket.socket:
        """A UDP socket of it, connected to the echo server of an address."""
        return self.connect(address, _ECHO, protocol="udp")

    def pings(self, address: Address) -> bool:
        """Whether an echo server answers at an address."""
        return self.reaches(address, _ECHO, protocol="udp")

    def echo(self, reply: Reply = echo) -> Server:
        """Answer datagrams, until it is closed."""
        return self.serve(_ECHO, protocol="udp", reply=reply)


def _enter(cgroup: Path) -> None:
    enter_cgroup(cgroup)
    unshare(CLONE_NEWNET)


@frozen
class Answer:
    """What the executable said."""

    code: int
    document: Any

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses of a result."""
        return tuple(ip_address(ip["address"].split("/")[0]) for ip in self.document["ips"])


class Runtime:
    """Starts the executable of one agent, as container runtimes do, and has containers."""

    def __init__(self, directory: Path, run_dir: Path) -> None:
        self.directory = directory
        self.run_dir = run_dir
        self.program, self.conflist = install(
            directory / "bin", directory / "net.d", run_dir=run_dir
        )
        self.containers: list[Container] = []

    def container(self, name: str | None = None) -> Container:
        """A new container, not attached."""
        made = Container(name or f"c{len(self.containers)}")
        self.containers.append(made)
        return made

    def run(
        self,
        command: str,
        container: Container | None = None,
        *,
        ifname: str = "eth0",
        version: str = "1.1.0",
        args: str = "",
        config: dict[str, Any] | str | None = None,
        **environment: str,
    ) -> Answer:
        """Start the executable as a runtime does, and read what it printed."""
        words = {"CNI_COMMAND": command, "CNI_PATH": str(self.program.parent)}
        if container is not None:
            words |= {
                "CNI_CONTAINERID": container.id,
                "CNI_NETNS": container.netns,
                "CNI_IFNAME": ifname,
                "CNI_ARGS": args,
            }
        if not isinstance(config, str):
            base = {"cniVersion": version, "name": "axoneme", "type": "axoneme-cni"}
            config = json.dumps(base | (config or {}))
        done = subprocess.run(
            [self.program],
            input=config.encode(),
            env=words | environment,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.stderr == b""
        return Answer(done.returncode, json.loads(done.stdout) if done.stdout else None)

    def add(self, container: Container, **options: Any) -> Answer:
        """ADD, which must succeed."""
        answer = self.run("ADD", container, **options)
        assert answer.code == 0, answer.document
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for container in self.containers:
            container.close()


class CniNode(Runtime):
    """A node with the tc plugin, its CNI server in a thread, and the installed executable."""

    def __init__(self, node: Node, directory: Path, plugins: tuple[str, ...] = ("tc",)) -> None:
        super().__init__(directory, directory / "run")
        self.node = node
        self.pool, self.store = Pool(node.number), Store()
        self.pipeline = Pipeline(node, list(plugins))
        self.netlink = node.call(Netlink)
        self.network: PodNetwork | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> Self:
        """Serve, as an agent that starts; what it recovered is in `recovered`."""
        self.network = PodNetwork(
            netlink=self.netlink,
            attachments=Attachments(self.directory / "attachments"),
            addresses=self.pool,
            identities=Identities(),
            endpoints=self.store,
            datapath=EnginePods(self.pipeline.engine),
            budget=MtuBudget.of(1500, ["vxlan over IPv4"]),
            node_addresses=self.node.addresses,
        )
        worker = self.node.worker("cni")
        ready: Future[None] = Future()
        self._task = worker.submit(asyncio.run, self._serve(ready))
        ready.result(_SECONDS)
        return self

    async def _serve(self, ready: Future[None]) -> None:
        assert self.network is not None
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            self.recovered = await self.network.recover()
            async with serve_cni(self.run_dir, self.network):
                ready.set_result(None)
                await self._stop.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise
        self.network.close()

    def stop(self) -> None:
        """End the server; what is wired stays."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._task.result(_SECONDS)
            self._loop = None

    def links(self) -> set[str]:
        """The node's devices of ours."""
        return {link.name for link in self.netlink.links() if link.name.startswith("axn")}

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        super().__exit__()
        self.netlink.close()
        self.pipeline.close()
