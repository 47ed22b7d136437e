# SPDX-License-Identifier: Apache-2.0
"""All that a bug report needs, from wherever it can be had: agent, kernel, files, node."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs
from attrs import frozen

from axoneme.agent.client import ask
from axoneme.agent.names import StoredNames
from axoneme.config import AgentConfig, read_agent_config
from axoneme.datapath import PinnedMaps, supported
from axoneme.datapath.features import SINCE
from axoneme.errors import AxonemeError
from axoneme.sources import EmbeddedSource

from . import kernel, node
from .archive import MOST_BYTES, Dump
from .events import events
from .redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: The agent's methods that change nothing, and what they are asked for.
_METHODS: Final = {
    "status": "agent/status.json",
    "metrics": "agent/metrics.txt",
    "endpoints": "agent/endpoints.json",
    "identities": "agent/identities.json",
    "policies": "agent/policies.json",
    "nodes": "agent/nodes.json",
    "addresses": "agent/addresses.json",
    "address-pools": "agent/address-pools.json",
}
#: Of one directory.
_MOST_FILES: Final = 5000
_MANIFESTS: Final = frozenset({".yaml", ".yml", ".json", ".conf", ".conflist"})


@frozen
class Sysdump:
    """Where to look; `log` is the agent's log, if somebody knows where it is."""

    config: Path
    conf_dir: Path
    log: Path | None = None
    most_rows: int = 10_000

    def collect(self) -> Dump:
        """Look everywhere; what cannot be had is named in it, and nothing is an error."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        redactor = Redactor()
        agent, problem = self._agent()
        where = agent.node_name or socket.gethostname().lower()
        dump = Dump(f"axoneme-sysdump-{where}-{stamp}", redactor)
        if problem:
            dump.missing["config/agent.json"] = problem
        else:
            shown = attrs.asdict(agent, value_serializer=_plain)
            dump.add("config/agent.json", lambda: redactor.value(shown))
        dump.add("config/axoneme.toml", lambda: redactor.toml(self.config.read_text()))
        for method, path in _METHODS.items():
            dump.add(path, partial(ask, agent.run_dir, method))
        dump.add("agent/events.jsonl", partial(events, agent.run_dir))
        self._add_files(dump, agent)
        self._add_kernel(dump, agent)
        self._add_node(dump)
        return dump

    def _agent(self) -> tuple[AgentConfig, str]:
        try:
            return read_agent_config(self.config), ""
        except (AxonemeError, OSError) as error:
            return AgentConfig(), f"{error}; the defaults are taken"

    def _add_files(self, dump: Dump, agent: AgentConfig) -> None:
        for name, directory in (
            ("manifests", agent.manifests_dir),
            ("state", agent.state_dir),
            ("cni", self.conf_dir),
            ("attachments", agent.run_dir / "attachments"),
        ):
            files = [path for path in _files(directory) if path.suffix in _MANIFESTS]
            dump.add(f"{name}/files.txt", partial(node.listing, directory))
            if not files:
                dump.missing[f"{name}/"] = f"{directory} has nothing that is readable"
            for path in files:
                target = f"{name}/{path.relative_to(directory)}"
                dump.add(target, _reading(path, dump.redactor.yaml))
        if self.log is None:
            dump.missing["agent/log.txt"] = "nobody said where it is: give --log FILE"
        else:
            dump.add("agent/log.txt", _reading(self.log, str))

    def _add_kernel(self, dump: Dump, agent: AgentConfig) -> None:
        with PinnedMaps(agent.bpffs) as pinned:
            names = StoredNames(EmbeddedSource(agent.state_dir), pinned)
            dump.add("kernel/attached.json", lambda: kernel.attached(agent.bpffs))
            dump.add("kernel/maps.json", lambda: kernel.maps(pinned))
            dump.add("kernel/features.json", lambda: {one: supported(one) for one in SINCE})
            for name, read in kernel.rows_of(pinned, names, self.most_rows):
                dump.add(f"maps/{name}.json", read)

    def _add_node(self, dump: Dump) -> None:
        dump.add("node/machine.json", node.machine)
        dump.add("node/packages.json", node.packages)
        dump.add("node/sysctls.txt", node.sysctls)
        for path, command in node.COMMANDS.items():
            dump.add(path, partial(node.run, command))


def _reading(path: Path, redact: Callable[[str], str]) -> Callable[[], str]:
    """Read a file's end: what happened last is there."""

    def read() -> str:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - MOST_BYTES, 0))
            return redact(file.read().decode(errors="replace"))

    return read


def _files(directory: Path) -> list[Path]:
    try:
        found = sorted(path for path in directory.rglob("[!.]*") if path.is_file())
    except OSError:
        return []
    return found[:_MOST_FILES]


def _plain(_: object, __: object, value: Any) -> Any:
    plain = isinstance(value, bool | int | float | str | dict | list | tuple) or value is None
    return value if plain else str(value)
