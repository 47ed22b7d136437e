# SPDX-License-Identifier: Apache-2.0
"""What runtimes asked for while no agent ran: DELs, in files that the executable wrote.

A runtime takes such a pod for gone. So one that cannot be done stays in its file and is tried
again, until it is done, or until the runtime adds that very device again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from axoneme.cni.errors import CniError, Code
from axoneme.cni.executable import QUEUE
from axoneme.cni.request import Command, read_request
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from axoneme.cni.request import CniRequest
    from axoneme.cni.server import CniHandler

_log = logging.getLogger(__name__)


async def do_kept(run_dir: Path, handler: CniHandler) -> list[str]:
    """Do what was asked while no agent ran; a sentence for each request that failed and stays."""
    problems = []
    for path, request in _requests(run_dir):
        try:
            await handler.delete(request)
        except (AxonemeError, OSError) as error:
            problems.append(f"{path}: {request}: {error}")
        except Exception as error:  # noqa: BLE001 - the others are to be done all the same
            _log.exception("%s met a fault of the agent", path)
            problems.append(f"{path}: {request}: the agent has a fault: {error!r}")
        else:
            path.unlink(missing_ok=True)
    return problems


def forget_kept(run_dir: Path, added: CniRequest) -> None:
    """Forget what was kept of a device that is added again: it would take the new one away.

    Nothing may be waited for between this and the beginning of the ADD.
    """
    for path, request in _requests(run_dir):
        if (request.container_id, request.ifname) == (added.container_id, added.ifname):
            path.unlink(missing_ok=True)


def _requests(run_dir: Path) -> Iterator[tuple[Path, CniRequest]]:
    """What is in the queue now; each is read when it is asked for. Garbage goes."""
    for path in sorted((run_dir / QUEUE).glob("[!.]*.json")):
        try:
            request = _read(path)
        except FileNotFoundError:
            continue  # its executable found us after all
        except OSError as error:
            _log.error("%s cannot be read: %s", path, error)
            continue
        except CniError as error:
            _log.error("%s is no request, and goes: %s", path, error)
            path.unlink(missing_ok=True)
            continue
        yield path, request


def _read(path: Path) -> CniRequest:
    request = read_request(path.read_bytes())
    if request.command is not Command.DEL:
        raise CniError(Code.INVALID_ENVIRONMENT, "only a DEL is ever kept")
    return request
