# SPDX-License-Identifier: Apache-2.0
"""`axoneme config`: what is configured, and changing it, checked before it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import ask_agent, config_option, output_option, print_value
from axoneme.cli._words import setting_keys

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.config import Setting
    from axoneme.config.editing import ConfigFile

_key = click.argument(
    "key", shell_complete=setting_keys, help="Such as agent.plugins, or another spelling of it."
)


@click.group("config")
def config_group() -> None:
    """Look up and change the configuration's file."""


@config_group.command(
    epilog=examples(
        "axoneme config view", "axoneme config view tc", "axoneme config view agent.plugins -o json"
    )
)
@click.argument("key", default="", help="Only this key, or this section; all if not given.")
@config_option
@output_option("table", "json")
def view(key: str, config: Path, output: str) -> None:
    """Show every key: its value, where that is from, and when a change takes effect."""
    from axoneme.cli._config_view import config_view, rows_of

    file = _read(config)
    sections = {one.path[0] for one in file.settings}
    chosen = [s for s in file.settings if not key or s.path[0] == key]
    if key and key not in sections:
        chosen = [file.setting(key)]
    print_value(rows_of(file, chosen), output, config_view)


@config_group.command(
    epilog=examples("axoneme config get agent.plugins", "axoneme config get bpf.monitorInterval")
)
@_key
@config_option
@output_option("text", "json")
def get(key: str, config: Path, output: str) -> None:
    """Print the value of a key: what the file says, or the default."""
    from axoneme.config.editing import spelled

    file = _read(config)
    value = file.value(file.setting(key)).value
    click.echo(value if output == "text" and isinstance(value, str) else spelled(value))


@config_group.command(
    "set",
    context_settings={"ignore_unknown_options": True},
    epilog=examples(
        "axoneme config set agent.plugins tc,portguard",
        "axoneme config set tc.monitor-aggregation maximum",
        "axoneme config set bpf.mapDynamicSizeRatio 0.005",
    ),
)
@_key
@click.argument("value", help="As in TOML; quotes may be left out, and lists written as a,b.")
@config_option
def set_(key: str, value: str, config: Path) -> None:
    """Give a key a value, and have the agent take it over.

    The whole configuration is checked before the file is written. What the agent refuses is
    taken back.
    """
    file = _read(config)
    setting = file.setting(key)
    _apply(file, setting, file.with_value(setting, value))


@config_group.command(epilog=examples("axoneme config delete tc.monitor-aggregation"))
@_key
@config_option
def delete(key: str, config: Path) -> None:
    """Take a key out of the file, which gives it its default, and have the agent take that over."""
    file = _read(config)
    setting = file.setting(key)
    if not file.value(setting).written:
        click.echo(f"{setting.key} is not in {config}: it has its default")
        return
    _apply(file, setting, file.without(setting))


def _read(config: Path) -> ConfigFile:
    import logging

    from axoneme.config.editing import ConfigFile
    from axoneme.host import PluginHost

    logging.getLogger("axoneme.host").setLevel(logging.ERROR)  # rejected plugins are no news here
    return ConfigFile.read(config, PluginHost())


def _apply(file: ConfigFile, setting: Setting, text: str) -> None:
    """Write a text, and have it taken over; if the agent refuses it, write the old one again."""
    from axoneme.config.editing import ConfigFile, spelled
    from axoneme.errors import AxonemeError

    before = file.value(setting)
    if text == file.document.text:
        click.echo(f"{setting.key} is {spelled(before.value)} already")
        return
    file.write(text)
    after = ConfigFile.read(file.path, file.source).value(setting)
    change = f"{setting.key} is {spelled(after.value)}, and was {spelled(before.value)}"
    try:
        came = _reload(file.path)
    except AxonemeError as error:
        file.write(file.document.text)
        raise AxonemeError(f"{setting.key} stays {spelled(before.value)}: {error}") from error
    click.echo(f"{change}\n{_when(setting, came)}")


def _reload(path: Path) -> str | None:
    """What the agent says of the file, None where none is running."""
    try:
        came: Any = ask_agent(path, "reload", again=False)  # it may have seen the file change
    except ConnectionError:
        return None
    return str(came)


def _when(setting: Setting, came: str | None) -> str:
    from axoneme.config import Effect

    if came is None:
        return "no agent is running: the next one reads it"
    if setting.effect is Effect.SWAP:
        return f"in effect: {came}"
    if setting.effect is Effect.RELOAD:
        return "in effect"
    return f"it takes effect {setting.effect.value}"
