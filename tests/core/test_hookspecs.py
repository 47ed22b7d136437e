# SPDX-License-Identifier: Apache-2.0
"""The hook specifications: documented to one template, cheap to import, known to pluggy."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys

import pytest
from pluggy import PluginManager

import axoneme
from axoneme.hookspecs import PROJECT, SPECIFICATIONS

HOOKS = {
    name: function
    for module in SPECIFICATIONS
    for name, function in vars(module).items()
    if hasattr(function, "axoneme_spec")
}


def test_the_hooks_are_those_of_the_plan():
    """A hook is added with its place in this list, and never disappears unnoticed."""
    assert {name: list(inspect.signature(hook).parameters) for name, hook in HOOKS.items()} == {
        "axoneme_config": [],
        "axoneme_stop": ["config"],
        "axoneme_objects": ["config"],
        "axoneme_loader": ["name"],
        "axoneme_fill": ["datapath", "config"],
        "axoneme_endpoint_added": ["endpoint", "datapath", "config"],
        "axoneme_endpoint_removed": ["endpoint", "datapath", "config"],
        "axoneme_address_pools": ["node", "config"],
        "axoneme_choose_pools": ["pod", "node", "config"],
        "axoneme_node_ipam": ["node", "usage", "config"],
        "axoneme_assign_networks": ["cluster", "config"],
        "axoneme_metrics": ["datapath", "config"],
        "axoneme_explain": ["step", "datapath", "config"],
    }


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_documented_to_the_template(name):
    """When it is called, arguments, what one returns, how answers combine, what faults do."""
    text = inspect.getdoc(HOOKS[name])
    paragraphs = text.split("\n\n")
    starts = ["Called ", "One implementation returns ", "If it raises", ".. versionadded:: "]
    for start in starts:
        assert any(paragraph.startswith(start) for paragraph in paragraphs), start
    combined = ("Answers ", "The first answer ")
    assert any(paragraph.startswith(combined) for paragraph in paragraphs)
    for argument in inspect.signature(HOOKS[name]).parameters:
        if name != "axoneme_config":
            assert f":param {argument}:" in text


@pytest.mark.parametrize("module", SPECIFICATIONS, ids=lambda module: module.__name__)
def test_a_specification_imports_no_types(module):
    """The types of arguments are for type checkers: a plugin that imports core stays light."""
    tree = ast.parse(inspect.getsource(module))
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert imported <= {"__future__", "typing", "axoneme.hookspecs._marker"}


def test_a_plugin_marks_with_the_name_that_core_calls():
    """What `axoneme.hookimpl` marks is what a registry of core's hooks calls."""

    class Plugin:
        @axoneme.hookimpl
        def axoneme_loader(self, name):
            return name.upper()

    registry = PluginManager(PROJECT)
    for module in SPECIFICATIONS:
        registry.add_hookspecs(module)
    registry.register(Plugin())
    assert registry.hook.axoneme_loader(name="own") == "OWN"


def test_importing_core_loads_nothing_heavy():
    """A plugin's own tools start fast, and need no library of the kernel."""
    heavy = ["cffi", "_cffi_backend", "axoneme._bpf", "axoneme.datapath", "pyroute2", "msgspec"]
    code = f"import axoneme, sys; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_public_name_exists():
    """`__all__` is sorted and true, and the version is that of the distribution."""
    assert sorted(axoneme.__all__) == list(axoneme.__all__)
    for name in axoneme.__all__:
        assert getattr(axoneme, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        axoneme.nothing  # noqa: B018 - the look-up is the test
