# SPDX-License-Identifier: Apache-2.0
"""The hooks of the tc plugin."""

from __future__ import annotations

from importlib.resources import files

from axoneme import PluginObject, hookimpl

from .config import TcConfig


@hookimpl
def axoneme_config() -> type[TcConfig]:
    """The section [tc]."""
    return TcConfig


@hookimpl
def axoneme_objects(config: TcConfig) -> list[PluginObject]:
    """One object a stage, each of which can be off."""
    chosen = {"admit": config.admit, "forward": config.forward}
    bpf = files("axoneme_tc") / "bpf"
    return [PluginObject(bpf / f"{name}.bpf.o") for name, on in chosen.items() if on]
