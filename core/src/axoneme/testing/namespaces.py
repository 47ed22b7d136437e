# SPDX-License-Identifier: Apache-2.0
"""Places: threads in namespaces and a cgroup of their own, what nodes and pods have in common.

The namespaces have no names. A thread and a file descriptor of the test process hold them, so
that the kernel takes them down with the process, however it ends.
"""

from __future__ import annotations

import os
import shutil
import socket as sockets
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Self, TypeAlias, TypeVar

from axoneme.net.namespaces import open_network
from axoneme.testing import _traffic
from axoneme.testing._cgroups import remove_cgroup
from axoneme.testing._timeouts import scaled
from axoneme.testing._worker import KitError, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    from axoneme.model import Address

P = ParamSpec("P")
T = TypeVar("T")
Protocol: TypeAlias = Literal["tcp", "udp"]

_END_SECONDS = 5


class Place:
    """A thread in a network namespace, a mount namespace and a cgroup.

    Functions and processes can be run there, and sockets made there can be used anywhere.
    """

    def __init__(
        self,
        name: str,
        cgroup: Path,
        enter: Callable[[], object],
        parent: Place | None = None,
    ) -> None:
        self.name = name
        self.cgroup = cgroup
        self.closed = False
        self._processes: list[subprocess.Popen[Any]] = []
        self._worker = Worker(name, enter)
        with ExitStack() as stack:
            stack.callback(remove_cgroup, cgroup)
            self._start(parent)
            stack.callback(self._worker.stop)
            self.tid = self.call(_native_id)
            self.network = self.call(open_network)
            stack.callback(os.close, self.network)
            self._closing = stack.pop_all()

    def _start(self, parent: Place | None) -> None:
        try:
            if parent is None:
                self._worker.start()
            else:
                parent.call(self._worker.start)
        except PermissionError as error:
            raise KitError(
                f"cannot make {self.name}: {error}; run the tests as root, with CAP_SYS_ADMIN "
                "and CAP_NET_ADMIN"
            ) from error

    def __enter__(self) -> Self:
        """Return the place itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Say which place it is."""
        return f"<{type(self).__name__} {self.name}>"

    def close(self) -> None:
        """End what runs here and remove it all; an error is raised after everything was tried."""
        self.closed = True
        with self._closing:
            self._end_processes()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in this place and return its result, or raise what it raised.

        Its working directory stays what it was when the place was made. /proc/net and
        /proc/self are the test process's: read /proc/thread-self/net instead.
        """
        return self._worker.call(function, *args, **kwargs)

    def worker(self, name: str) -> Worker:
        """Return one more thread in this place, for what runs beside other things.

        Stop it when it is done; it is stopped with the place at the latest.
        """
        worker = Worker(f"{self.name}: {name}")
        self.call(worker.start)
        self._closing.callback(worker.stop)
        return worker

    def popen(
        self,
        args: Sequence[str | os.PathLike[str]],
        *,
        cpu: int | Iterable[int] | None = None,
        **options: Any,
    ) -> subprocess.Popen[Any]:
        """Start a process in this place, on one CPU or several where given.

        It is ended with the place, and killed when the test process ends in any way.
        """
        words = [os.fspath(word) for word in args]
        if "/" not in words[0] and shutil.which(words[0]) is None:
            raise FileNotFoundError(2, "no such program on PATH; install it", words[0])
        if guard := shutil.which("setpriv"):
            words = [guard, "--pdeathsig", "KILL", "--", *words]
        process = self.call(_popen, words, cpu, options)
        self._processes.append(process)
        return process

    def run(
        self, args: Sequence[str | os.PathLike[str]], *, timeout: float = 30, **options: Any
    ) -> str:
        """Run a command to its end in this place and return what it wrote.

        Its errors are in what is raised when it fails.
        """
        pipe = subprocess.PIPE
        with self.popen(args, stdout=pipe, stderr=pipe, text=True, **options) as process:
            try:
                out, err = process.communicate(timeout=scaled(timeout))
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        self._processes.remove(process)
        if process.returncode:
            error = subprocess.CalledProcessError(process.returncode, list(args), out, err)
            error.add_note(err)
            raise error
        return str(out)

    def socket(
        self, family: int = sockets.AF_INET, kind: int = sockets.SOCK_STREAM, protocol: int = 0
    ) -> sockets.socket:
        """Return a socket of this place's namespace and cgroup, for use in any thread."""
        return self.call(sockets.socket, family, kind, protocol)

    def connect(
        self,
        address: str | Address,
        port: int,
        *,
        protocol: Protocol = "tcp",
        source_port: int = 0,
        timeout: float = 2.0,
    ) -> sockets.socket:
        """Return a socket that is connected, and gives up after `timeout` seconds."""
        target = str(address)
        family = sockets.AF_INET6 if ":" in target else sockets.AF_INET
        connection = self.socket(family, _traffic.KINDS[protocol])
        try:
            connection.settimeout(scaled(timeout))
            if source_port:
                connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
                connection.bind(("", source_port))
            connection.connect((target, port))
        except BaseException:
            connection.close()
            raise
        return connection

    def request(
        self, address: str | Address, port: int, data: bytes = b"ping", **options: Any
    ) -> bytes:
        """Send data and return the answer; options are those of `connect`.

        What goes wrong is an OSError: TimeoutError when nobody answers.
        """
        with self.connect(address, port, **options) as connection:
            return _traffic.exchange(connection, data)

    def reaches(self, address: str | Address, port: int, **options: Any) -> bool:
        """Tell whether somebody answers there; options are those of `connect`."""
        try:
            self.request(address, port, **options)
        except OSError:
            return False
        return True

    def serve(
        self,
        port: int = 0,
        *,
        protocol: Protocol = "tcp",
        reply: _traffic.Reply = _traffic.echo,
    ) -> _traffic.Server:
        """Answer at a port of all addresses, IPv4 and IPv6, until the server or place is closed.

        `reply` makes the answer of the data and the peer's socket address.
        """
        listener = self.socket(sockets.AF_INET6, _traffic.KINDS[protocol])
        server = _traffic.Server(listener, port, self.worker(f"serve {protocol}"), reply)
        self._closing.callback(server.close)
        return server

    def _end_processes(self) -> None:
        with ExitStack() as stack:
            for process in self._processes:
                stack.callback(_end, process)
                if process.poll() is None:
                    process.terminate()
        self._processes.clear()


def _native_id() -> int:
    import threading

    return threading.get_native_id()


def _popen(
    words: Sequence[str], cpu: int | Iterable[int] | None, options: dict[str, Any]
) -> subprocess.Popen[Any]:
    """Start a process in the calling thread, whose affinity it inherits with all else."""
    before = os.sched_getaffinity(0)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu} if isinstance(cpu, int) else cpu)
    try:
        return subprocess.Popen(words, **options)
    finally:
        os.sched_setaffinity(0, before)


def _end(process: subprocess.Popen[Any]) -> None:
    with process:  # closes its pipes, and waits
        try:
            process.wait(scaled(_END_SECONDS))
        except subprocess.TimeoutExpired:
            process.kill()
