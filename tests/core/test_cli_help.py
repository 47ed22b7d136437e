# SPDX-License-Identifier: Apache-2.0
"""The command by its words: help, examples, completion, what is meant by a word that is not one."""

from __future__ import annotations

import shlex
import subprocess
import sys

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from axoneme.cli.main import cli


def commands(context):
    """Every command that does something, with its context."""
    for name in context.command.list_commands(context):
        command = context.command.get_command(context, name)
        inner = click.Context(command, parent=context, info_name=name)
        if isinstance(command, click.Group):
            yield from commands(inner)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield inner


COMMANDS = {c.command_path: c for c in commands(click.Context(cli, info_name="axoneme"))}


def complete(*words):
    """What a shell offers for the last of these words."""
    found = ShellComplete(cli, {}, "axoneme", "_AXONEME_COMPLETE")
    return {item.value for item in found.get_completions(list(words[:-1]), words[-1])}


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_has_its_sentence(path):
    """A summary that is a sentence, and help for all that can be given."""
    command = COMMANDS[path].command
    assert (command.help or "").splitlines()[0].rstrip().endswith(".")
    assert [p.name for p in command.params if not p.help] == []


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_examples_that_it_takes(path):
    """Each begins with the command, and parses."""
    command = COMMANDS[path].command
    lines = [line.strip() for line in command.epilog.splitlines() if line.startswith("  ")]
    own = [line for line in lines if line.startswith(path)]
    assert own
    for line in own:
        words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])
        command.make_context(path, words[len(path.split()) :])


@pytest.mark.parametrize("path", ["axoneme", "axoneme lab", *COMMANDS])
def test_help_is_shown(path):
    """For each group too."""
    result = CliRunner().invoke(cli, [*path.split()[1:], "--help"])
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("statsu", "Did you mean 'status'?"),
        ("lab statu", "Did you mean"),
        ("status --confg x", "Did you mean '--config'?"),
        ("status -o jsn", "'json'"),
    ],
)
def test_a_word_that_is_not_known_comes_with_the_nearest(words, told):
    """And the exit code 2."""
    result = CliRunner().invoke(cli, words.split())
    assert result.exit_code == 2
    assert told in result.output


def test_a_shell_completes_commands_options_and_values():
    """What begins with what there is."""
    assert complete("sta") == {"status"}
    assert complete("lab", "pod", "") == {"add", "delete"}
    assert "--config" in complete("status", "--")
    assert complete("status", "-o", "j") == {"json"}


def test_a_shell_completes_the_keys_of_a_file(tmp_path):
    """Those of the plugins that are on too; where nobody can say, nothing."""
    path = tmp_path / "axoneme.toml"
    path.write_text('[agent]\nplugins = ["tc"]\n')
    words = ["config", "get", "--config", str(path)]
    assert complete(*words, "tc.monitor-aggregation-") == {
        "tc.monitor-aggregation-flags",
        "tc.monitor-aggregation-interval",
    }
    path.write_text("[")
    assert complete(*words, "tc.") == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell):
    """It asks the command itself for words."""
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert f"_AXONEME_COMPLETE={shell}_complete" in result.output


def test_asking_the_agent_imports_little(tmp_path):
    """Process start counts: neither attrs nor anything of the agent's."""
    config = tmp_path / "axoneme.toml"
    config.write_text(f'[agent]\nrun-dir = "{tmp_path}"\n')
    program = (
        "import sys\nfrom axoneme.cli._options import ask_agent\nimport axoneme.cli.status\n"
        "import axoneme.cli.views\n"
        "from pathlib import Path\n"
        "try:\n    ask_agent(Path(sys.argv[1]), 'status')\nexcept ConnectionError:\n"
        "    print(*sorted(m for m in sys.modules if '.' not in m))"
    )
    line = [sys.executable, "-c", program, str(config)]
    found = subprocess.run(line, capture_output=True, text=True, check=True).stdout.split()
    assert "click" in found
    assert not {"attr", "asyncio", "msgspec", "pluggy", "tomlkit"} & set(found)
