# SPDX-License-Identifier: Apache-2.0
"""Hooks of a plugin's life: what it can be told, and when it leaves."""

from __future__ import annotations

from typing import Any

from axoneme.hookspecs._marker import hookspec


@hookspec
def axoneme_config() -> type:
    """Declare the settings of the plugin: the keys of its section in the configuration.

    Called when the plugin is vetted, before its section is read, and not again in the life of
    the agent.

    One implementation returns one attrs class. A key is the field's name with `-` for `_`;
    what a validator or a converter raises becomes the error of that key. A field's type is a
    TOML type, a path, an IP address or network, an enum, another attrs class, or a list,
    tuple, set or table of those; with a converter it is the type of the converter's argument.
    A field's metadata may have `aliases`, other spellings of the key from the top of the file such
    as `bpf.masquerade`, and `effect`: `SWAP` (a change links programs again, which is so if nothing
    is said), `RELOAD` (the plugin is told and that is all) or `START`.
    A plugin without this hook has no settings, and any key in its section is an error.

    Answers do not combine: each plugin reads its own.

    If it raises, or returns anything but such a class, the plugin is rejected.

    .. versionadded:: 0.1
    """


@hookspec
def axoneme_stop(config: Any) -> None:
    """Give back what the plugin holds outside of the datapath: threads, sockets, files.

    Called once when a plugin leaves: it was disabled or rejected by the datapath, or the agent
    ends. A plugin that was quarantined is not called any more, not even here. Programs and
    maps are not the plugin's to remove.

    :param config: the plugin's section as it was last in effect.

    One implementation returns nothing.

    Answers do not combine.

    If it raises, the plugin has left all the same, and its state says what it raised.

    .. versionadded:: 0.1
    """
