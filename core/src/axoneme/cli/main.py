# SPDX-License-Identifier: Apache-2.0
"""The command's entry: what each subcommand imports, it imports when it runs."""

from __future__ import annotations

import sys
from typing import Final

import click

from axoneme.cli._groups import LazyGroup, examples

#: What the shell is told: 1 is something that is wrong, and 2 click's for words that are.
NO_AGENT: Final = 3

_COMMANDS = {
    "agent": "axoneme.cli.agent:agent",
    "bpf": "axoneme.cli.bpf:bpf_group",
    "cleanup": "axoneme.cli.cleanup:cleanup",
    "cni": "axoneme.cli.cni:cni_group",
    "completion": "axoneme.cli.completion:completion",
    "config": "axoneme.cli.config:config_group",
    "explain": "axoneme.cli.explain:explain",
    "endpoint": "axoneme.cli.lists:endpoint_group",
    "identity": "axoneme.cli.lists:identity_group",
    "ipam": "axoneme.cli.ipam:ipam_group",
    "lab": "axoneme.cli.lab:lab_group",
    "metrics": "axoneme.cli.control:metrics",
    "monitor": "axoneme.cli.monitor:monitor",
    "node": "axoneme.cli.lists:node_group",
    "operator": "axoneme.cli.operator:operator_group",
    "plugin": "axoneme.cli.plugin:plugin_group",
    "plugins": "axoneme.cli.plugins:plugins",
    "policy": "axoneme.cli.lists:policy_group",
    "reload": "axoneme.cli.control:reload",
    "retry": "axoneme.cli.control:retry",
    "status": "axoneme.cli.status:status",
    "sysdump": "axoneme.cli.sysdump:sysdump",
}


@click.group(
    cls=LazyGroup,
    places=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("axoneme status", "axoneme plugins", "axoneme lab up"),
)
@click.version_option(package_name="axoneme", message="axoneme %(version)s")
def cli() -> None:
    """Axoneme: a Kubernetes network of plugins, linked into eBPF."""


def main() -> None:
    """Run the command; an error of ours is its sentence, without a traceback."""
    try:
        cli(prog_name="axoneme")
    except Exception as error:
        from axoneme.errors import AxonemeError  # only now: it takes as long as the rest

        if not isinstance(error, (AxonemeError, ConnectionError)):
            raise
        click.secho(f"axoneme: {error}", fg="red", err=True)
        sys.exit(NO_AGENT if isinstance(error, ConnectionError) else 1)
