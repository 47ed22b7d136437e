# SPDX-License-Identifier: Apache-2.0
"""`axoneme lab`: a cluster on one machine, to try things on and to look into."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import output_option, print_value
from axoneme.defaults import CONFIG_VARIABLE
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from axoneme.lab import Lab

_name = click.option(
    "--name",
    envvar="AXONEME_LAB",
    default="lab",
    show_default=True,
    show_envvar=True,
    help="The lab's name; there can be several.",
)
_node = click.argument("node", help="Such as node1, or operator1.")


@click.group()
def lab_group() -> None:
    """A cluster of several nodes on this machine, in namespaces."""


@lab_group.group("pod")
def pod_group() -> None:
    """Pods of a lab."""


@lab_group.command(epilog=examples("axoneme lab up", "axoneme lab up --routing-mode tunnel"))
@click.option("--nodes", default=2, show_default=True, help="How many.")
@_name
@click.option("--plugin", multiple=True, help="A plugin that is on; tc and ipam if none is given.")
@click.option("--routing-mode", default="native", show_default=True, help="native or tunnel.")
def up(nodes: int, name: str, plugin: tuple[str, ...], routing_mode: str) -> None:
    """Make the nodes, join them, and start an agent on each, and two operators."""
    from attrs import evolve

    from axoneme.lab import Settings

    lab = _lab(name)
    settings = Settings(nodes, routing_mode=routing_mode)
    lab.up(evolve(settings, plugins=plugin) if plugin else settings)
    click.echo(f"lab {name} is up: {', '.join(node.name for node in lab.nodes)}")


@lab_group.command(epilog=examples("axoneme lab down"))
@_name
def down(name: str) -> None:
    """Remove all of a lab: namespaces, processes, files; also what a crash has left of one."""
    lab = _lab(name)
    was = lab.directory.exists()
    lab.down()
    click.echo(f"lab {name} is down" if was else f"there was no lab {name}")


@lab_group.command(epilog=examples("axoneme lab status"))
@_name
@output_option("table", "json")
def status(name: str, output: str) -> None:
    """Show the nodes with their agents, the operators, and the pods."""
    from axoneme.cli._lab_view import lab_view
    from axoneme.lab.status import describe

    print_value(describe(_lab(name)), output, lab_view)


@lab_group.command("exec", epilog=examples("axoneme lab exec node1 -- axoneme status"))
@click.argument("place", help="A pod, a node, or outside.")
@click.argument("command", nargs=-1, help="What to run; a shell if not given.")
@_name
def execute(place: str, command: tuple[str, ...], name: str) -> None:
    """Run a command in a pod or on a node; options behind `--` are the command's."""
    lab = _lab(name)
    here = lab.place(place)
    for node in lab.nodes:
        if node.place == here:  # so that `axoneme status` there is of this node
            os.environ[CONFIG_VARIABLE] = str(node.config)
    _become(here.command(list(command) or ["sh"]))


@lab_group.command(epilog=examples("axoneme lab logs node1 --follow"))
@_node
@_name
@click.option("--follow", "-f", is_flag=True, help="Go on until ^C.")
def logs(node: str, name: str, follow: bool) -> None:
    """Print what a node's agents, or an operator, have written."""
    log = _lab(name).runner(node).log
    _become(["tail", "-n", "+1", *(["-F"] if follow else []), str(log)])


@lab_group.command(epilog=examples("axoneme lab kill node1", "axoneme lab kill node1 --gently"))
@_node
@_name
@click.option("--gently", is_flag=True, help="By SIGTERM, instead of as a crash would.")
def kill(node: str, name: str, gently: bool) -> None:
    """End a node's agent, or an operator; what an agent has attached stays."""
    from axoneme.lab.agents import end_agent

    end_agent(_lab(name).runner(node), signal.SIGTERM if gently else signal.SIGKILL)


@lab_group.command(epilog=examples("axoneme lab start node1"))
@_node
@_name
def start(node: str, name: str) -> None:
    """Start a node's agent, or an operator, and return when it answers."""
    from axoneme.lab.agents import start_agent, wait_for_agents

    found = _lab(name).runner(node)
    start_agent(found)
    wait_for_agents([found])


@lab_group.command(epilog=examples("axoneme lab apply examples/policies/deny-all.yaml"))
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), help="Manifests."
)
@_name
def apply(files: tuple[Path, ...], name: str) -> None:
    """Give the agents manifests; a file of the same name is replaced."""
    from axoneme.lab.manifests import apply as apply_manifest

    for file in files:
        click.echo(apply_manifest(_lab(name), file))


@lab_group.command(epilog=examples("axoneme lab withdraw deny-all.yaml"))
@click.argument("files", nargs=-1, required=True, help="Names of manifests.")
@_name
def withdraw(files: tuple[str, ...], name: str) -> None:
    """Take manifests away that were applied."""
    from axoneme.lab.manifests import withdraw as withdraw_manifest

    for file in files:
        withdraw_manifest(_lab(name), Path(file).name)


@pod_group.command(
    "add", epilog=examples("axoneme lab pod add web --label app=web --port http=80/tcp")
)
@click.argument("pod", help="Small letters, digits and dashes, such as web, or shop/web.")
@click.option("--namespace", "-n", default="", help="The pod's namespace; default if not given.")
@click.option("--node", default="", help="Where; the node with the fewest if not given.")
@click.option(
    "--label", "-l", multiple=True, metavar="KEY=VALUE", help="One of its labels; can be repeated."
)
@click.option(
    "--port",
    multiple=True,
    metavar="[NAME=]NUMBER[/PROTOCOL]",
    help="A port that policies may call by name; can be repeated.",
)
@_name
def pod_add(  # noqa: PLR0917 - options are named where they are given
    pod: str,
    namespace: str,
    node: str,
    label: tuple[str, ...],
    port: tuple[str, ...],
    name: str,
) -> None:
    """Make a pod by CNI; print its addresses."""
    from axoneme.lab import Port

    space, _, short = pod.rpartition("/")
    made = _lab(name).add_pod(
        short,
        namespace=namespace or space or "default",
        node=node,
        labels=_labels(label),
        ports=[Port.parse(text) for text in port],
    )
    click.echo(f"{made} on {made.node}: {' '.join(made.addresses)}")


@pod_group.command("delete", epilog=examples("axoneme lab pod delete shop/web"))
@click.argument("pod", help="Such as web, or shop/web.")
@click.option("--namespace", "-n", default="", help="The pod's namespace.")
@_name
def pod_delete(pod: str, namespace: str, name: str) -> None:
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
