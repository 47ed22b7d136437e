# SPDX-License-Identifier: Apache-2.0
"""`axoneme sysdump`: what to send with a bug report."""

from __future__ import annotations

from pathlib import Path

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import conf_dir_option, config_option


@click.command(epilog=examples("axoneme sysdump", "axoneme sysdump --log /var/log/axoneme.log"))
@click.option(
    "--output",
    "-o",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write it; a name of its own in this directory if not given.",
)
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What the agent has written, if that is in a file.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Of each map at most so many.",
)
@conf_dir_option
@config_option
def sysdump(target: Path | None, log: Path | None, rows: int, conf_dir: Path, config: Path) -> None:
    """Write one archive with all that a bug report needs: secrets are left out.

    It works without an agent, too; what is missing is named in its README.txt, with the reason.
    Run it in the node's network and mount namespaces, as root.
    """
    from axoneme.agent.sysdump import Sysdump
    from axoneme.errors import AxonemeError

    dump = Sysdump(config, conf_dir, log, rows).collect()
    file = target or Path(f"{dump.name}.tar.gz")
    try:
        dump.write(file)
    except OSError as error:
        raise AxonemeError(f"{file} cannot be written: {error.strerror}") from error
    click.echo(f"{file}: {len(dump.parts)} files, {len(dump.missing)} missing")
