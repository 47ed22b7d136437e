# SPDX-License-Identifier: Apache-2.0
"""Plugins of a test's own: eBPF objects from C text, and plugins that nobody installed.

    closed = plugin_object('''
        #include <axoneme/plugin.h>
        AXN_STAGE(policy) { return axn_drop(packet, AXN_REASON_POLICY_DENIED); }
    ''')
    closed_plugin = fake_plugin("closed", closed)
    Pipeline(node, ["closed"], entry_points=lambda: [closed_plugin])

What was compiled once is kept in ~/.cache/axoneme/objects, by all that went into it: an emulated
machine takes seconds for what a compiler does. The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import sys
import tempfile
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.metadata import Distribution
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import TYPE_CHECKING, Any

from axoneme import PluginObject, hookimpl
from axoneme.host import GROUP
from axoneme_sdk import INCLUDE
from axoneme_sdk.codec import generate
from axoneme_sdk.compile import SUFFIX, compile_object
from axoneme_sdk.declarations import Declarations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import EntryPoint

_numbers = itertools.count(1)


def compile_text(text: str, name: str = "test") -> Path:
    """Return the object of C text, checked by nobody yet.

    Raises:
        BuildError: it does not compile.
    """
    text = dedent(text)
    folder = _cache() / _digest(_tools(), name.encode(), text.encode())
    target = folder / f"{name}.bpf.o"
    if not target.exists():
        _build(folder, name, text)
    return target


def plugin_object(text: str, name: str = "test", **options: Any) -> PluginObject:
    """Return the object of C text as a plugin hands it out; options are those of PluginObject."""
    return PluginObject(compile_text(text, name), **options)


def plugin_codec(*objects: PluginObject) -> ModuleType:
    """Return the codec of the maps of objects, as their plugin's build would write it."""
    contents = [item.source.read_bytes() for item in objects]
    digest = _digest(_tools(), *contents)
    target = _cache() / f"codec_{digest}.py"
    if not target.exists():
        declarations = [Declarations.read(content) for content in contents]
        with tempfile.TemporaryDirectory(dir=_cache()) as scratch:
            written = Path(scratch) / target.name
            generate(declarations, target.stem, written)
            written.rename(target)
    loader = SourceFileLoader(target.stem, str(target))
    module = module_from_spec(spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    return module


def fake_plugin(
    name: str,
    *objects: PluginObject,
    version: str = "1.0",
    requires: Iterable[str] = ("axoneme>=0",),
    **hooks: Callable[..., Any],
) -> EntryPoint:
    """Return the entry point of a plugin that has these objects, and hooks by their names.

    Give it to a host by its `entry_points`. The plugin's distribution has the given version and
    requirements.
    """
    if objects:
        hooks.setdefault("axoneme_objects", lambda: objects)
    module = ModuleType(f"axoneme_fake_{name.replace('-', '_')}_{next(_numbers)}")
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    sys.modules[module.__name__] = module
    metadata = ["Metadata-Version: 2.1", f"Name: axoneme-{name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    files = {
        "METADATA": "\n".join([*metadata, ""]),
        "entry_points.txt": f"[{GROUP}]\n{name} = {module.__name__}\n",
    }
    (entry_point,) = _FakeDistribution(files).entry_points
    return entry_point


class _FakeDistribution(Distribution):
    """What a distribution's metadata is to importlib, without files."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def read_text(self, filename: str) -> str | None:
        """Return one file of the metadata."""
        return self._files.get(filename)

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        """Return where a file would be."""
        return Path(path)


def _build(folder: Path, name: str, text: str) -> None:
    with tempfile.TemporaryDirectory(dir=_cache()) as scratch:
        made = Path(scratch) / folder.name
        made.mkdir()
        source = made / f"{name}{SUFFIX}"
        source.write_text(text)
        compile_object(source)
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            # Another process was quicker, and its object is the same.


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "axoneme" / "objects"
    path.mkdir(parents=True, exist_ok=True)
    return path


@cache
def _tools() -> bytes:
    """Return what tells these headers and this compiler from others."""
    sources = [INCLUDE.parent / "codec.py", INCLUDE.parent / "compile.py", *INCLUDE.rglob("*.h")]
    parts = [source.read_bytes() for source in sorted(sources)]
    found = shutil.which(os.environ.get("AXONEME_CLANG", "clang"))
    if found is not None:
        compiler = Path(found).resolve()
        parts.append(f"{compiler} {compiler.stat().st_size}".encode())
    return _digest(*parts).encode()


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:32]
