# SPDX-License-Identifier: Apache-2.0
"""The parts that come from Python: hooks, settings, the command, distributions."""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click
from _markdown import Table, code, listing, sentences
from attrs import frozen

from axoneme import PluginObject
from axoneme.agent.core import CoreHooks
from axoneme.agent.metrics import CATALOG
from axoneme.cli.main import cli
from axoneme.config import AgentConfig, settings_of
from axoneme.datapath.images import all_stages, trunk_object
from axoneme.hookspecs import SPECIFICATIONS
from axoneme.operator.metrics import CATALOG as OPERATOR_CATALOG
from axoneme_sdk.declarations import Declarations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from _markdown import Blocks

    from axoneme.agent.metrics import Described

_SETTING = ("key", "type", "default", "changes by")


@frozen
class Plugin:
    """A plugin of this repository."""

    name: str
    directory: Path
    module: Any

    @property
    def readme(self) -> Path:
        """Its README."""
        return self.directory / "README.md"

    @property
    def config(self) -> Any:
        """The class of its section, or None."""
        hook = getattr(self.module, "axoneme_config", None)
        return hook() if hook else None

    def settings(self) -> Blocks:
        """The keys of its section."""
        if self.config is None:
            yield "The plugin has no settings."
        else:
            yield Table(_SETTING, list(_keys(self.name, self.config)), "meaning")

    def declarations(self) -> Iterator[tuple[str, Declarations]]:
        """Its objects, by name."""
        for path in sorted(self.directory.glob("src/*/bpf/*.bpf.o")):
            yield path.name.removesuffix(".bpf.o"), Declarations.read(path.read_bytes())

    def parts(self) -> dict[str, Callable[[], Blocks]]:
        """The generated parts of its README."""
        has_objects = any(self.directory.glob("src/*/bpf/*.bpf.c"))
        return {"settings": self.settings} | ({"objects": self.objects} if has_objects else {})

    def objects(self) -> Blocks:
        """What its objects put into which trunks."""
        rows = [
            (code(name), code(stage.name), listing(_trunks_of(stage.name)), _order(stage))
            for name, declarations in self.declarations()
            for stage in declarations.stages
        ]
        yield Table(("object", "stage", "trunks", "order"), rows, "what it does")


def _order(stage: Any) -> str:
    words = [f"before `{name}`" for name in stage.before]
    return ", ".join([*words, *(f"after `{name}`" for name in stage.after)]) or "any"


def _trunks_of(stage: str) -> list[str]:
    return [t.name for t in trunk_object(all_stages()[stage]).trunks if stage in t.stages]


def _project(directory: Path) -> dict[str, Any]:
    return tomllib.loads((directory / "pyproject.toml").read_text())


def plugins(root: Path) -> list[Plugin]:
    """The plugins of this repository, whatever else is installed."""
    found = []
    for path in sorted(root.glob("plugins/*/pyproject.toml")):
        points = _project(path.parent)["project"]["entry-points"]["axoneme.plugins"]
        found += [Plugin(name, path.parent, import_module(m)) for name, m in points.items()]
    return found


def fillers(root: Path) -> dict[str, list[str]]:
    """By stage, who of this repository fills it: `plugin/object`."""
    found: dict[str, list[str]] = {}
    for plugin in plugins(root):
        for name, declarations in plugin.declarations():
            for stage in declarations.stages:
                found.setdefault(stage.name, []).append(f"{plugin.name}/{name}")
    return found


# Settings


def _keys(section: str, settings: Any) -> Iterator[tuple[str, ...]]:
    for setting in settings_of(section, settings):
        words = re.sub(r'("[^"]+")', r"`\1`", setting.type)
        default = json.dumps("" if setting.default is None else setting.default)
        key = ".".join(setting.path[1:])
        value = "must be given" if setting.required else code(default)
        yield code(key), words, value, setting.effect.name.lower()


def agent_settings() -> Blocks:
    """The keys of [agent]."""
    yield Table(_SETTING, list(_keys("agent", AgentConfig)), "meaning")


def plugin_settings(root: Path) -> Blocks:
    """The keys of the plugins, with the sentences of their READMEs."""
    for plugin in plugins(root):
        yield f"### `[{plugin.name}]`"
        if plugin.config is None:
            yield "No keys."
            continue
        written = sentences(plugin.readme.read_text().partition("<!-- begin settings -->")[2])
        meanings = {key: text for (_, key), text in written.items()}
        rows = [(*row, meanings[row[0]]) for row in _keys(plugin.name, plugin.config)]
        yield Table((*_SETTING, "meaning"), rows)


def other_spellings(root: Path) -> Blocks:
    """The aliases of keys, core's and the plugins'."""
    classes = {"agent": AgentConfig} | {p.name: p.config for p in plugins(root) if p.config}
    settings = [s for name, kind in classes.items() for s in settings_of(name, kind)]
    rows = [(code(".".join(alias)), code(s.key)) for s in settings for alias in s.aliases]
    yield Table(("spelling", "is"), rows)


# Reasons and maps of plugins


def plugin_reasons(root: Path) -> Blocks:
    """The reasons that plugins of this repository declare."""
    rows = [
        (code(reason.name), code(plugin.name), reason.text)
        for plugin in plugins(root)
        for _, declarations in plugin.declarations()
        for reason in declarations.reasons
    ]
    yield Table(("reason", "plugin", "shown as"), rows, "when") if rows else "None yet."


def plugin_maps(root: Path) -> Blocks:
    """The maps that plugins of this repository define."""
    rows = [
        (code(m.name), code(plugin.name), code(f"{m.name}_v{m.layout}"), code(m.hash))
        for plugin in plugins(root)
        for _, declarations in plugin.declarations()
        for m in declarations.maps
        if not m.extern
    ]
    columns = ("map", "plugin", "pin", "layout hash")
    yield Table(columns, rows, "what it holds") if rows else "None yet."


# Hooks


def plugin_object() -> Blocks:
    """What `axoneme_objects` returns, field by field."""
    yield Table(("field",), [(code(one.name),) for one in attrs.fields(PluginObject)], "what it is")


def hooks(root: Path) -> Blocks:
    """Every hook: signature, documentation, and who answers it here."""
    answers = {plugin.name: plugin.module for plugin in plugins(root)} | {"core": CoreHooks}
    for specification in SPECIFICATIONS:
        yield f"## {specification.__name__.rpartition('.')[2].capitalize()}"
        yield inspect.getdoc(specification) or ""
        for name, function in vars(specification).items():
            if hasattr(function, "axoneme_spec"):
                yield from _hook(name, function, answers)


def _hook(name: str, function: Any, answers: dict[str, Any]) -> Blocks:
    yield f"### `{name}`"
    yield f"```python\ndef {name}{inspect.signature(function)}\n```".replace("'", "")
    text = inspect.getdoc(function) or ""
    asked = "Asked until one answers" if function.axoneme_spec["firstresult"] else "Asked of all"
    badges = [asked, *(f"since {v}" for v in re.findall(r"versionadded:: (\S+)", text))]
    here = [who for who, module in answers.items() if _answers(module, name)]
    badges += [f"answered in this repository by {listing(here)}"] if here else []
    yield f"{'; '.join(badges)}."
    for paragraph in text.split("\n\n"):
        if not paragraph.startswith(".. "):
            yield _parameters(paragraph) if paragraph.startswith(":param") else paragraph


def _answers(module: Any, hook: str) -> bool:
    return hasattr(getattr(module, hook, None), "axoneme_impl")


def _parameters(paragraph: str) -> str:
    joined = re.sub(r"\n\s+", " ", paragraph)
    return re.sub(r"^:param (\w+): ", r"- `\1`: ", joined, flags=re.MULTILINE)


# The command


def commands() -> Blocks:
    """Every subcommand with its arguments."""
    yield from _command(click.Context(cli, info_name="axoneme"))


def _command(group: click.Context) -> Blocks:
    assert isinstance(group.command, click.Group)
    for name in group.command.list_commands(group):
        command = group.command.get_command(group, name)
        assert command is not None
        context = click.Context(command, parent=group, info_name=name)
        if isinstance(command, click.Group):
            yield from _command(context)
            if not command.invoke_without_command:
                continue
        yield f"## `{context.command_path}`"
        yield re.sub(r"\s+", " ", command.help or "")
        shown = [one for one in command.params if not getattr(one, "hidden", False)]
        rows = [_parameter(parameter, context) for parameter in shown]
        if rows:
            yield Table(("argument", "default", "meaning"), rows)
        yield "\n".join(["```sh", *_examples(command), "```"])


def _examples(command: click.Command) -> list[str]:
    lines = (command.epilog or "").splitlines()
    return [line.strip() for line in lines if line.startswith("  ")]


def _parameter(parameter: click.Parameter, context: click.Context) -> tuple[str, str, str]:
    metavar = parameter.make_metavar(context)
    name = metavar.strip("[]")
    if isinstance(parameter, click.Option):
        name = ", ".join(parameter.opts)
        name += "" if parameter.is_flag else f" {metavar}"
    default = parameter.to_info_dict()["default"]
    default = "" if default in (None, False, ()) else code(default)
    if parameter.required:
        default = "must be given"
    return code(name), default, parameter.help or ""


# Distributions


def distributions(root: Path) -> Blocks:
    """What is released from here, and what it says it needs of the others."""
    rows = []
    for directory in (root / "core", root / "sdk", *(p.directory for p in plugins(root))):
        project = _project(directory)
        needed = [*project["project"].get("dependencies", ()), *project["build-system"]["requires"]]
        own = sorted({n for n in needed if n.startswith("axoneme")})
        rows.append((code(project["project"]["name"]), project["project"]["version"], listing(own)))
    yield Table(("distribution", "version", "needs of the others, to run and to build"), rows)


def metrics() -> Blocks:
    """Core's metrics, in the order of the catalogue."""
    yield _metrics(CATALOG)


def operator_metrics() -> Blocks:
    """The operator's."""
    yield _metrics(OPERATOR_CATALOG)


def _metrics(catalog: Mapping[str, Described]) -> Table:
    rows = [
        (code(one.shown), one.kind, listing(list(one.labels)), one.help) for one in catalog.values()
    ]
    return Table(("metric", "kind", "labels", "meaning"), rows)
