# SPDX-License-Identifier: Apache-2.0
"""`axoneme plugin`: for authors."""

import typer

plugin_app = typer.Typer(help="Write and check plugins.")
