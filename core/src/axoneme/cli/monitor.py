# SPDX-License-Identifier: Apache-2.0
"""`axoneme monitor`: what becomes of packets on this node, as it happens."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import config_option, output_option, run_dir
from axoneme.cli._words import pod_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from axoneme.cli._flow_views import View

_INTERRUPTED = 130
#: What flows are chosen by; each may be given several times.
_CHOICES = {
    "pod": "To or from pods whose name begins so: [NAMESPACE/]NAME.",
    "from_pod": "From such pods.",
    "to_pod": "To such pods.",
    "namespace": "To or from pods of a namespace.",
    "label": "To or from pods with a label: KEY[=VALUE].",
    "identity": "To or from an identity: a number, or host, world-ipv4, ...",
    "ip": "To or from an address or a network.",
    "protocol": "tcp, udp, sctp, icmp.",
    "verdict": "dropped, forwarded, redirected.",
    "type": "drop, policy-verdict, opened, closed, trace.",
    "reason": "Dropped for a reason by its name: policy_denied, ...",
    "related_to": "To or from one pod, by its whole name or endpoint's number.",
}
_SHORT = {"namespace": "-n", "label": "-l", "type": "-t"}
_OF_PODS = ("pod", "from_pod", "to_pod", "related_to")


def _choices(command: Callable[..., None]) -> Callable[..., None]:
    for name, text in reversed(_CHOICES.items()):
        names = [f"--{name.replace('_', '-')}", *filter(None, [_SHORT.get(name)])]
        complete = pod_names if name in _OF_PODS else None
        option = click.option(*names, name, multiple=True, help=text, shell_complete=complete)
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "axoneme monitor --verdict dropped",
        "axoneme monitor --pod shop/web --port 80 --since 5m",
        "axoneme monitor -n shop -t drop,opened -o json",
    )
)
@_choices
@click.option("--port", type=int, multiple=True, help="To or from a port.")
@click.option("--since", default="", help="Begin with what is kept of the last so long: 30s, 5m.")
@click.option(
    "--last", type=click.IntRange(min=0), help="Begin with the last so many that are kept."
)
@click.option(
    "--follow/--no-follow", default=True, show_default=True, help="Go on with what comes."
)
@output_option("compact", "json", "table")
@click.option(
    "--color",
    "colour",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours: on a terminal, always or never.",
)
@config_option
def monitor(
    *,
    port: tuple[int, ...],
    since: str,
    last: int | None,
    follow: bool,
    output: str,
    colour: str,
    config: Path,
    **words: tuple[str, ...],
) -> None:
    """Show what becomes of packets, with pods, policies and reasons.

    An option may be given several times, or with several words between commas: any of them is
    meant. What different options say must hold together.
    """
    asked: dict[str, Any] = {name: _split(given) for name, given in words.items() if given}
    if port:
        asked["port"] = list(port)
    if since:
        from axoneme.observe.durations import parse_seconds

        asked["since"] = parse_seconds(since)
    if last is not None:
        asked["last"] = last
    ended = _show(config, output, colour, follow=follow, **asked)
    if follow and ended:
        raise ConnectionError("the agent has ended")


def _split(given: tuple[str, ...]) -> list[str]:
    return [word for text in given for word in text.split(",") if word]


def _show(config: Path, output: str, colour: str, **asked: Any) -> bool:
    """Write flows until there are no more; whether it was the agent that ended."""
    from axoneme.agent.client import follow

    stream = follow(run_dir(config), "monitor", **asked)
    try:
        for text in _lines(stream, output, colour):
            sys.stdout.write(text)
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise click.exceptions.Exit(_INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever reads has enough; what is left of our output must not fail at the end.
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115, PTH123 - until the process ends
        return False
    return True


def _lines(
    stream: Iterator[tuple[dict[str, Any], bytes]], output: str, colour: str
) -> Iterator[str]:
    """What is to be written, at once what came at once."""
    from axoneme.observe.following import Following
    from axoneme.observe.lost import Lost

    following = Following.of(stream)
    view = _view(output, colour, following.node)
    yield view.head()
    for items in following:
        lines = [view.lost(i) if isinstance(i, Lost) else view.flow(i) for i in items]
        yield "".join(lines)


def _view(output: str, colour: str, node: str) -> View:
    import os

    from axoneme.cli._flow_views import CompactView, Ink, JsonView, TableView

    if output == "json":
        return JsonView(node)
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    ink = Ink(wanted if colour == "auto" else colour == "always")
    return CompactView(ink) if output == "compact" else TableView(ink)
