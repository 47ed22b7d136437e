# SPDX-License-Identifier: Apache-2.0
"""Whether a plugin's hook implementations are ones that core would call."""

from __future__ import annotations

import inspect
from typing import Any

from pluggy import PluginManager

from axoneme.errors import nearest
from axoneme.hookspecs import PROJECT, SPECIFICATIONS

_OPTIONS = {
    "wrapper": "a wrapper: the host calls one plugin at a time, so there is nothing to wrap",
    "hookwrapper": "a wrapper: the host calls one plugin at a time, so there is nothing to wrap",
    "tryfirst": "marked tryfirst: plugins are called by name, and stages are ordered in objects",
    "trylast": "marked trylast: plugins are called by name, and stages are ordered in objects",
}
_KINDS = (
    (inspect.iscoroutinefunction, "async: hooks are synchronous; do slow work in a thread"),
    (inspect.isasyncgenfunction, "async: hooks are synchronous; do slow work in a thread"),
    (inspect.isgeneratorfunction, "a generator: return a list"),
)


def specifications() -> dict[str, tuple[str, ...]]:
    """Return the arguments of each hook of core, by the hook's name."""
    return {
        name: tuple(inspect.signature(function).parameters)
        for module in SPECIFICATIONS
        for name, function in vars(module).items()
        if hasattr(function, f"{PROJECT}_spec")
    }


def new_registry() -> PluginManager:
    """Return a registry that knows core's hooks and no plugin."""
    registry = PluginManager(PROJECT)
    for module in SPECIFICATIONS:
        registry.add_hookspecs(module)
    return registry


def misfit(module: Any, registry: PluginManager) -> str | None:
    """Return what is wrong with the first implementation that core could not call as meant."""
    known = specifications()
    found: dict[str, str] = {}
    for name in dir(module):
        options = registry.parse_hookimpl_opts(module, name)
        if options is None:
            problem = _unmarked(inspect.getattr_static(module, name, None), name in known)
        else:
            hook = options.get("specname") or name
            problem = _misfit(hook, getattr(module, name), options, known)
            if problem is None and hook in found:
                problem = f"a second implementation of {hook}, beside {found[hook]}: keep one"
            found[hook] = name
        if problem is not None:
            return f"{name} is {problem}"
    return None


def _unmarked(value: Any, is_hook: bool) -> str | None:
    if isinstance(getattr(value, f"{PROJECT}_impl", None), dict):
        return "marked, but no plain function"
    return "not marked: put @hookimpl above it" if is_hook and callable(value) else None


def _misfit(
    hook: str, function: Any, options: Any, known: dict[str, tuple[str, ...]]
) -> str | None:
    """Complete the sentence "<name> is ..." for an implementation that core does not call."""
    if hook not in known:
        return None if options.get("optionalhook") else f"no hook of core{_allowed(hook, known)}"
    problems = [sentence for option, sentence in _OPTIONS.items() if options.get(option)]
    problems += [sentence for is_kind, sentence in _KINDS if is_kind(function)]
    for parameter in inspect.signature(function).parameters.values():
        problem = _misfit_parameter(parameter, known[hook])
        if problem is not None:
            problems.append(f"declared with {problem}")
    return problems[0] if problems else None


def _misfit_parameter(parameter: inspect.Parameter, allowed: tuple[str, ...]) -> str | None:
    if parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        return f"{parameter}: core passes each argument by its name"
    if parameter.name not in allowed:
        listed = _allowed(parameter.name, allowed)
        return f"an argument {parameter.name!r} that the hook does not have{listed}"
    if parameter.default is not inspect.Parameter.empty:
        return f"a default for {parameter.name!r}, which is always passed: remove the default"
    return None


def _allowed(name: str, names: Any) -> str:
    near = nearest(name, names)
    hint = f", did you mean {near!r}?" if near else ""
    return f" (there are: {', '.join(sorted(names)) or 'none'}{hint})"
