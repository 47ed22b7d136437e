# SPDX-License-Identifier: Apache-2.0
"""`axoneme plugin`: for authors."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import output_option, print_value
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import EntryPoint


@click.group()
def plugin_group() -> None:
    """Write and check plugins."""


@plugin_group.command(epilog=examples("axoneme plugin new portguard"))
@click.argument("name", help="Small letters, digits and dashes.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Where to write it; axoneme-NAME if not given.",
)
def new(name: str, directory: Path | None) -> None:
    """Write a plugin that builds and passes its own test."""
    from axoneme.host import entry_points
    from axoneme_sdk import template

    target = directory or Path(f"axoneme-{name}")
    taken = {entry_point.name for entry_point in entry_points()}
    try:
        written = template.write(name, target, taken=taken)
    except (template.TemplateError, OSError) as error:
        raise AxonemeError(str(error)) from error
    for path in written:
        click.echo(path)
    click.echo(f"{target / 'README.md'} says how to build and test it")


@plugin_group.command(epilog=examples("axoneme plugin check", "axoneme plugin check tc -o json"))
@click.argument("plugin", default=".", help="A plugin's name, or the directory of one.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Its settings, and which plugins are the others; all by default.",
)
@output_option("table", "json")
def check(plugin: str, config: Path | None, output: str) -> None:
    """Load a plugin alone and with all others on this kernel, attach nothing, and say all of it.

    The exit code is 1 if anything is wrong.
    """
    from attrs import asdict

    from axoneme.cli._check import check_plugin
    from axoneme.cli._check_view import check_view

    # What the host warns of is in the report; a failing hook's traceback is not.
    logging.getLogger("axoneme.host").setLevel(logging.ERROR)
    name, found = _find(plugin)
    report = check_plugin(name, found, config)
    print_value(asdict(report), output, check_view)
    raise click.exceptions.Exit(1 if report.problems else 0)


def _find(plugin: str) -> tuple[str, Callable[[], Iterable[EntryPoint]]]:
    """Return a plugin's name, and what is installed: one in a directory stands in for its own."""
    from axoneme.cli._project import build_project, is_project
    from axoneme.host import entry_points

    installed = tuple(entry_points())
    if plugin in {entry_point.name for entry_point in installed} or not is_project(plugin):
        return plugin, entry_points
    own = build_project(Path(plugin))
    others = tuple(one for one in installed if one.name != own.name)
    return own.name, lambda: (*others, own)
