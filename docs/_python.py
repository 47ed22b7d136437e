# SPDX-License-Identifier: Apache-2.0
"""The parts that come from Python: hooks, settings, the command, distributions."""

from __future__ import annotations

import inspect
import re
import tomllib
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin

import attrs
import click
from _markdown import Table, code, listing, sentences
from attrs import frozen

from axoneme.agent.core import CoreHooks
from axoneme.agent.metrics import CATALOG
from axoneme.cli.main import cli
from axoneme.config import AgentConfig
from axoneme.datapath.images import all_stages, trunk_object
from axoneme.hookspecs import SPECIFICATIONS
from axoneme_sdk.declarations import Declarations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _markdown import Blocks

_SETTING = ("key", "type", "default")
_TYPES = {
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "float": "float",
    "Path": "path",
    "IPv4Network": "IPv4 network",
    "IPv6Network": "IPv6 network",
    "IPv4Address": "IPv4 address",
    "IPv6Address": "IPv6 address",
}


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
            yield Table(_SETTING, list(_keys(self.config)), "meaning")

    def declarations(self) -> Iterator[tuple[str, Declarations]]:
        """Its objects, by name."""
        for path in sorted(self.directory.glob("src/*/bpf/*.bpf.o")):
            yield path.name.removesuffix(".bpf.o"), Declarations.read(path.read_bytes())

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


# Settings


def _keys(settings: Any, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    attrs.resolve_types(settings)
    for field in attrs.fields(settings):
        key = prefix + field.name.rstrip("_").replace("_", "-")
        if attrs.has(field.type):
            yield from _keys(field.type, f"{key}.")
        else:
            yield code(key), _toml_type(field.type), _toml_default(field.default)


def _toml_type(kind: Any) -> str:
    if get_origin(kind) in (tuple, list, set, frozenset):
        return f"array of {_toml_type(get_args(kind)[0])}s"
    options = [option for option in get_args(kind) or (kind,) if option is not NoneType]
    if len(options) == 1 and issubclass(options[0], Enum):
        return " or ".join(code(f'"{member.value}"') for member in options[0])
    return " or ".join(_TYPES.get(option.__name__, option.__name__) for option in options)


def _toml_default(value: Any) -> str:
    if value is attrs.NOTHING:
        return "must be given"
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        value = value.factory()
    if isinstance(value, Enum):
        value = value.value
    match value:
        case bool():
            return code(str(value).lower())
        case int() | float():
            return code(value)
        case None:
            return code('""')
        case tuple() | list() | set() | frozenset():
            items = [one.value if isinstance(one, Enum) else one for one in value]
            return code(f"[{', '.join(map(repr, items))}]".replace("'", '"'))
    return code(f'"{value}"')


def agent_settings() -> Blocks:
    """The keys of [agent]."""
    yield Table(_SETTING, list(_keys(AgentConfig)), "meaning")


def plugin_settings(root: Path) -> Blocks:
    """The keys of the plugins, with the sentences of their READMEs."""
    for plugin in plugins(root):
        yield f"### `[{plugin.name}]`"
        if plugin.config is None:
            yield "No keys."
            continue
        written = sentences(plugin.readme.read_text().partition("<!-- begin settings -->")[2])
        meanings = {key: text for (_, key), text in written.items()}
        rows = [(*row, meanings[row[0]]) for row in _keys(plugin.config)]
        yield Table((*_SETTING, "meaning"), rows)


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
            continue
        yield f"## `{context.command_path}`"
        yield re.sub(r"\s+", " ", command.help or "")
        rows = [_parameter(parameter, context) for parameter in command.params]
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
    rows = [
        (code(one.shown), one.kind, listing(list(one.labels)), one.help) for one in CATALOG.values()
    ]
    yield Table(("metric", "kind", "labels", "meaning"), rows)
