# SPDX-License-Identifier: Apache-2.0
"""`axoneme completion`: what a shell evaluates to complete words."""

from __future__ import annotations

import click

from axoneme.cli._groups import examples

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog=examples(
        "axoneme completion bash > /etc/bash_completion.d/axoneme",
        'eval "$(axoneme completion zsh)"',
        "axoneme completion fish > ~/.config/fish/completions/axoneme.fish",
    )
)
@click.argument("shell", type=click.Choice(_SHELLS), help="The shell that is to complete.")
def completion(shell: str) -> None:
    """Print a script that has a shell complete commands, options and names."""
    from click.shell_completion import get_completion_class

    from axoneme.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "axoneme", "_AXONEME_COMPLETE").source())
