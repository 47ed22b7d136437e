# SPDX-License-Identifier: Apache-2.0
"""Plugins for the host's tests: real modules and real metadata, in a directory of the test."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import distributions
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from axoneme.config import parse_config
from axoneme.host import GROUP, PluginHost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from axoneme.host import Change, PluginState

CORE = "0.1.0"
RANGE = "axoneme>=0.1,<0.2"


class Plugins:
    """Installs plugins into one directory, and has a host that sees only these."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.host = PluginHost(entry_points=self.entry_points, core_version=CORE)

    def add(
        self,
        name: str,
        source: str = "",
        *,
        requires: tuple[str, ...] = (RANGE,),
        version: str = "1.0",
        distribution: str | None = None,
        value: str | None = None,
    ) -> None:
        """Install a plugin whose module has the given source; an older version is replaced."""
        module = f"axoneme_{name.replace('-', '_')}_of_a_test"
        text = f"import attrs\nfrom axoneme import hookimpl\ncalls = []\n{dedent(source)}"
        (self.path / f"{module}.py").write_text(text)
        title = distribution or f"axoneme-{name}"
        for old in self.path.glob(f"{title.replace('-', '_')}-*.dist-info"):
            for file in old.iterdir():
                file.unlink()
            old.rmdir()
        info = self.path / f"{title.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {title}", f"Version: {version}"]
        lines += [f"Requires-Dist: {requirement}" for requirement in requires]
        (info / "METADATA").write_text("\n".join(lines) + "\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {value or module}\n")

    def entry_points(self) -> Iterator[EntryPoint]:
        """Yield what is installed in the directory."""
        importlib.invalidate_caches()
        for distribution in distributions(path=[str(self.path)]):
            yield from distribution.entry_points.select(group=GROUP)

    def enable(self, *names: str, sections: str = "") -> Change:
        """Read a configuration that enables these plugins, and put it in effect."""
        return self.configure(f"agent.plugins = {list(names)}\n{dedent(sections)}")

    def configure(self, text: str) -> Change:
        """Read a configuration and put it in effect."""
        return self.host.reconfigure(parse_config(text, self.host, name="test.toml"))

    def state(self, name: str) -> PluginState:
        """Return the state of one plugin."""
        return next(state for state in self.host.plugins() if state.name == name)

    def module(self, name: str) -> Any:
        """Return the module of a plugin that was imported."""
        return sys.modules[f"axoneme_{name.replace('-', '_')}_of_a_test"]

    def is_imported(self, name: str) -> bool:
        """Return whether any code of a plugin ran."""
        return f"axoneme_{name.replace('-', '_')}_of_a_test" in sys.modules


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins]:
    """A directory to install plugins into, and its host."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Plugins(tmp_path)
    for name in [name for name in sys.modules if name.endswith("_of_a_test")]:
        del sys.modules[name]
