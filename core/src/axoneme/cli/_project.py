# SPDX-License-Identifier: Apache-2.0
"""A plugin that lies in a directory: built there, and given to a host as if it were installed."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import Distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axoneme.errors import AxonemeError
from axoneme.host import GROUP
from axoneme_sdk.build import build_package
from axoneme_sdk.compile import SUFFIX, BuildError

if TYPE_CHECKING:
    import os
    from importlib.metadata import EntryPoint

SETTINGS = "pyproject.toml"


def build_project(directory: Path) -> EntryPoint:
    """Compile a plugin's objects where they lie; return its entry point, ready to be imported.

    Raises:
        AxonemeError: the directory has no plugin, or it does not build.
    """
    project = _read(directory / SETTINGS)
    (entry_point,) = _Project(project).entry_points
    sources = (directory / "src").resolve()
    package = sources / entry_point.module.partition(".")[0]
    if any(package.glob(f"bpf/*{SUFFIX}")):
        try:
            build_package(package)
        except BuildError as error:
            raise AxonemeError(f"{directory} does not build: {error}") from error
    sys.path.insert(0, str(sources))
    return entry_point


def is_project(place: str) -> bool:
    """Whether a place is a directory, and not the name of a plugin that is not installed."""
    return "/" in place or place == "." or Path(place, SETTINGS).is_file()


def _read(path: Path) -> dict[str, Any]:
    try:
        project = tomllib.loads(path.read_text()).get("project", {})
    except OSError as error:
        raise AxonemeError(
            f"{path} cannot be read ({error.strerror}): give the name of a plugin that is "
            "installed, or the directory of one"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise AxonemeError(f"{path}: {error}") from error
    if len(project.get("entry-points", {}).get(GROUP, {})) != 1:
        raise AxonemeError(f'{path} must have one plugin in [project.entry-points."{GROUP}"]')
    return project  # type: ignore[no-any-return]


class _Project(Distribution):
    """What the metadata of a project's distribution will be."""

    def __init__(self, project: dict[str, Any]) -> None:
        ((name, module),) = project["entry-points"][GROUP].items()
        metadata = ["Metadata-Version: 2.1", f"Name: {project.get('name', '')}"]
        metadata.append(f"Version: {project.get('version', '0')}")
        metadata += [f"Requires-Dist: {one}" for one in project.get("dependencies", ())]
        self._files = {
            "METADATA": "\n".join([*metadata, ""]),
            "entry_points.txt": f"[{GROUP}]\n{name} = {module}\n",
        }

    def read_text(self, filename: str) -> str | None:
        """Return one file of the metadata."""
        return self._files.get(filename)

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        """Return where a file would be."""
        return Path(path)
