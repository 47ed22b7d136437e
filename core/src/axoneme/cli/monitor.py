# SPDX-License-Identifier: Apache-2.0
"""`axoneme monitor`: what becomes of packets on this node, as it happens."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from axoneme.cli._durations import Duration
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
    "namespace": "To or from pods of a namespace.",
    "label": "To or from pods with a label: KEY[=VALUE].",
    "identity": "To or from an identity: a number, or host, world-ipv4, ...",
    "ip": "To or from an address or a network.",
    "port": "To or from a port.",
    "protocol": "tcp, udp, sctp, icmp.",
    "verdict": "dropped, forwarded, redirected.",
    "type": "drop, policy-verdict, opened, closed, trace.",
    "reason": "Dropped for a reason by its name: policy_denied, ...",
    "related_to": "To or from one pod, by its whole name or endpoint's number.",
}
_SHORT = {"namespace": "-n", "label": "-l", "type": "-t"}
#: Those that may be asked for of one side, too.
_OF_SIDES = ("pod", "namespace", "label", "identity", "ip", "port")
_OF_PODS = ("pod", "from_pod", "to_pod", "related_to")
_PORT = "port"


def _choices(command: Callable[..., None]) -> Callable[..., None]:
    for name, text in reversed(_CHOICES.items()):
        if name in _OF_SIDES:
            command = _option(f"to_{name}", "The same of who receives.")(command)
            command = _option(f"from_{name}", "The same of who sends.")(command)
        command = _option(name, text)(command)
    return command


def _option(name: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    names = [f"--{name.replace('_', '-')}", *filter(None, [_SHORT.get(name)])]
    complete = pod_names if name in _OF_PODS else None
    return click.option(*names, name, multiple=True, help=text, shell_complete=complete)


def _no_not(_: click.Context, __: click.Parameter, value: bool) -> None:
    if value:
        raise click.UsageError(
            "nothing is left out by a word: say what you want, or have jq choose from -o json"
        )


@click.command(
    epilog=examples(
        "axoneme monitor --verdict dropped",
        "axoneme monitor --pod shop/web --port 80 --since 5m",
        "axoneme monitor -n shop -t drop,opened -o json",
    )
)
@_choices
@click.option(
    "--since", type=Duration(), help="Begin with what is kept of the last so long: 30s, 5m."
)
@click.option(
    "--last", type=click.IntRange(min=0), help="Begin with the last so many that are kept."
)
@click.option(
    "-f", "--follow/--no-follow", default=True, show_default=True, help="Go on with what comes."
)
@click.option(
    "--not",
    is_flag=True,
    hidden=True,
    expose_value=False,
    callback=_no_not,
    help="What other tools have, and this one has not.",
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
    since: float | None,
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
    asked: dict[str, Any] = {name: _split(name, given) for name, given in words.items() if given}
    if since is not None:
        asked["since"] = since
    if last is not None:
        asked["last"] = last
    ended = _show(config, output, colour, follow=follow, **asked)
    if follow and ended:
        raise ConnectionError("the agent has ended")


def _split(name: str, given: tuple[str, ...]) -> list[Any]:
    """What an option says: nothing at all would choose everything."""
    words = [word.strip() for text in given for word in text.split(",") if word.strip()]
    option = f"--{name.replace('_', '-')}"
    if not words:
        raise click.UsageError(f"{option} is empty: leave it out, or say what you look for")
    return [_number(option, word) for word in words] if name.endswith(_PORT) else words


def _number(option: str, word: str) -> int:
    number, slash, protocol = word.partition("/")
    if slash and number.isdigit():
        raise click.UsageError(f"write {option} {number} --protocol {protocol}")
    if not word.isdigit():
        raise click.UsageError(f"{option} is a number, not {word!r}")
    return int(word)


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
