# SPDX-License-Identifier: Apache-2.0
"""Hooks of the datapath: objects, the loaders that take them, and the maps they need filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.hookspecs._marker import hookspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.datapath import Datapath
    from axoneme.datapath.loaders import Loader
    from axoneme.model import PluginObject


@hookspec
def axoneme_objects(config: Any) -> Iterable[PluginObject]:
    """Say which eBPF objects the plugin brings, with the knobs and sizes of this node.

    Called each time that the datapath is put together: at start and when the configuration
    changes.

    :param config: the plugin's own section.

    One implementation returns its objects, none of them when the settings leave nothing to do.

    Answers are kept by plugin: core links the objects of all plugins into one image a trunk.
    The order of stages is declared in the objects.

    If it raises, or returns anything but PluginObject, the plugin is quarantined. One that runs
    keeps its stages, with the objects that it gave last; the image is made without a new one.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
def axoneme_loader(name: str) -> Loader | None:
    """Provide the loader called `name`, which takes the objects that ask for it.

    Called when the datapath meets a loader's name for the first time. Core itself answers for
    `libbpf` and `bcc`, before any plugin is asked.

    :param name: what a PluginObject has as its `loader`.

    One implementation returns the loader, or None for a name that is not its own.

    The first answer that is not None counts; the plugins after it are not asked.

    If it raises, the plugin is quarantined and the next one is asked.

    .. versionadded:: 0.1
    """


@hookspec
def axoneme_fill(datapath: Datapath, config: Any) -> None:
    """Write the plugin's own maps, so that its stages decide right from their first packet.

    Called after the objects are loaded and before they are attached, and again after each
    swap, when maps that kept their layout still have their entries.

    :param datapath: what is loaded, and the plugin's way to its maps.
    :param config: the plugin's own section.

    One implementation returns nothing.

    Answers do not combine.

    If it raises, the plugin is quarantined and the others are filled.

    .. versionadded:: 0.1
    """
