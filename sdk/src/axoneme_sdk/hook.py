# SPDX-License-Identifier: Apache-2.0
"""The hatchling build hook: compile src/<package>/bpf/*.bpf.c, check, write <package>/_codec.py.

It runs for wheels and for editable installs; a source distribution needs no clang.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

from .build import CODEC, build_package
from .compile import BuildError


class AxonemeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the eBPF objects of one plugin."""

    PLUGIN_NAME = "axoneme"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile and check before the files of the wheel are collected."""
        package = self._package()
        try:
            built = build_package(package)
        except BuildError as error:
            self.app.abort(str(error))
        root = Path(self.root)
        build_data["artifacts"] += [f"/{path.relative_to(root)}" for path in built]

    def clean(self, versions: list[str]) -> None:  # noqa: ARG002
        """Remove what initialize made."""
        package = self._package()
        for path in (*package.glob("bpf/*.bpf.o"), package / CODEC):
            path.unlink(missing_ok=True)

    def _package(self) -> Path:
        found = sorted(Path(self.root, "src").glob("*/bpf"))
        if len(found) != 1:
            self.app.abort("a plugin has one package with eBPF sources: src/<package>/bpf/*.bpf.c")
        return found[0].parent


@hookimpl
def hatch_register_build_hook() -> type[BuildHookInterface]:  # type: ignore[type-arg]
    """What hatchling asks the entry point for."""
    return AxonemeBuildHook
