# SPDX-License-Identifier: Apache-2.0
"""`axoneme lab`: a cluster on one machine, to try things on and to look into."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from axoneme.lab import Lab

lab_app = typer.Typer(
    help="A cluster of several nodes on this machine, in namespaces.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
pod_app = typer.Typer(help="Pods of a lab.", no_args_is_help=True, rich_markup_mode=None)
lab_app.add_typer(pod_app, name="pod")

_Name = Annotated[str, typer.Option("--name", help="The lab's name; there can be several.")]
_Namespace = Annotated[str, typer.Option("--namespace", "-n", help="The pod's namespace.")]
_Node = Annotated[str, typer.Argument(help="Such as node1.", metavar="NODE")]
_Pod = Annotated[str, typer.Argument(help="Small letters, digits and dashes.", metavar="NAME")]
_Label = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", help="One of its labels; can be repeated.", metavar="KEY=VALUE"),
]
_Port = Annotated[
    list[str] | None,
    typer.Option(
        "--port",
        help="A port that policies may call by name; can be repeated.",
        metavar="[NAME=]NUMBER[/PROTOCOL]",
    ),
]
_DEFAULT = "lab"


@lab_app.command()
def up(
    nodes: Annotated[int, typer.Option(help="How many.")] = 2,
    name: _Name = _DEFAULT,
    plugin: Annotated[
        list[str] | None, typer.Option(help="A plugin that is on; tc if none is given.")
    ] = None,
    routing_mode: Annotated[str, typer.Option(help="native or tunnel.")] = "native",
) -> None:
    """Make the nodes, join them, and start an agent on each."""
    from axoneme.lab import Settings

    lab = _lab(name)
    lab.up(Settings(nodes, tuple(plugin) if plugin else ("tc",), routing_mode))
    typer.echo(f"lab {name} is up: {', '.join(node.name for node in lab.nodes)}")


@lab_app.command()
def down(name: _Name = _DEFAULT) -> None:
    """Remove all of a lab: namespaces, processes, files; also what a crash has left of one."""
    lab = _lab(name)
    was = lab.directory.exists()
    lab.down()
    typer.echo(f"lab {name} is down" if was else f"there was no lab {name}")


@lab_app.command()
def status(
    name: _Name = _DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the nodes with their agents, and the pods."""
    from axoneme.lab.status import describe

    described = describe(_lab(name))
    if as_json:
        typer.echo(json.dumps(described, indent=2))
        return
    from rich.console import Console

    from axoneme.cli._lab_view import lab_view

    Console(highlight=False).print(lab_view(described))


@lab_app.command("exec")
def execute(
    place: Annotated[str, typer.Argument(help="A pod, a node, or outside.", metavar="PLACE")],
    command: Annotated[
        list[str] | None,
        typer.Argument(help="What to run; a shell if not given.", metavar="COMMAND"),
    ] = None,
    name: _Name = _DEFAULT,
) -> None:
    """Run a command in a pod or on a node; options behind `--` are the command's."""
    _become(_lab(name).place(place).command(command or ["sh"]))


@lab_app.command()
def logs(
    node: _Node,
    name: _Name = _DEFAULT,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until ^C.")] = False,
) -> None:
    """Print what a node's agents have written."""
    log = _lab(name).node(node).log
    _become(["tail", "-n", "+1", *(["-F"] if follow else []), str(log)])


@lab_app.command()
def kill(
    node: _Node,
    name: _Name = _DEFAULT,
    gently: Annotated[bool, typer.Option(help="By SIGTERM, instead of as a crash would.")] = False,
) -> None:
    """End a node's agent; what it has attached stays."""
    from axoneme.lab.agents import end_agent

    end_agent(_lab(name).node(node), signal.SIGTERM if gently else signal.SIGKILL)


@lab_app.command()
def start(node: _Node, name: _Name = _DEFAULT) -> None:
    """Start a node's agent, and return when it answers."""
    from axoneme.lab.agents import start_agent, wait_for_agents

    found = _lab(name).node(node)
    start_agent(found)
    wait_for_agents([found])


@lab_app.command()
def apply(
    files: Annotated[list[Path], typer.Argument(help="Manifests.", metavar="FILE...")],
    name: _Name = _DEFAULT,
) -> None:
    """Give the agents manifests; a file of the same name is replaced."""
    from axoneme.lab.manifests import apply as apply_manifest

    for file in files:
        typer.echo(apply_manifest(_lab(name), file))


@lab_app.command()
def withdraw(
    files: Annotated[list[str], typer.Argument(help="Names of manifests.", metavar="FILE...")],
    name: _Name = _DEFAULT,
) -> None:
    """Take manifests away that were applied."""
    from axoneme.lab.manifests import withdraw as withdraw_manifest

    for file in files:
        withdraw_manifest(_lab(name), Path(file).name)


@pod_app.command("add")
def pod_add(  # noqa: PLR0917 - options are named where they are given
    pod: _Pod,
    namespace: _Namespace = "default",
    node: Annotated[str, typer.Option(help="Where; the node with the fewest if not given.")] = "",
    label: _Label = None,
    port: _Port = None,
    name: _Name = _DEFAULT,
) -> None:
    """Make a pod by CNI; print its addresses."""
    from axoneme.lab import Port

    made = _lab(name).add_pod(
        pod,
        namespace=namespace,
        node=node,
        labels=_labels(label or ()),
        ports=[Port.parse(text) for text in port or ()],
    )
    typer.echo(f"{made} on {made.node}: {' '.join(made.addresses)}")


@pod_app.command("delete")
def pod_delete(
    pod: Annotated[str, typer.Argument(help="Such as web, or shop/web.", metavar="POD")],
    namespace: _Namespace = "",
    name: _Name = _DEFAULT,
) -> None:
    """Remove a pod by CNI, with what runs in it."""
    lab = _lab(name)
    lab.delete_pod(lab.pod(pod, namespace))


def _labels(texts: Sequence[str]) -> dict[str, str]:
    labels = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise AxonemeError(f"{text!r} is no label; write one such as app=web")
        labels[key] = value
    return labels


def _lab(name: str) -> Lab:
    from axoneme.lab import Lab

    if os.geteuid() != 0:
        raise AxonemeError("labs are made of namespaces and mounts; run `axoneme lab` as root")
    return Lab(name)


def _become(words: Sequence[str]) -> None:
    """Be another program from here on, with the terminal and the exit code."""
    program = shutil.which(words[0])
    if program is None:
        raise AxonemeError(f"there is no {words[0]} on PATH; install util-linux and coreutils")
    sys.stdout.flush()
    os.execv(program, list(words))  # noqa: S606 - that is what it is for
