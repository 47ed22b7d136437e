# SPDX-License-Identifier: Apache-2.0
"""Errors: one hierarchy, with facts as attributes, that says what to do and can be sent on."""

from __future__ import annotations

import copy
import errno
import inspect
import pickle

import pytest

import axoneme
from axoneme import errors

EXAMPLES = (
    axoneme.AxonemeError("plain"),
    axoneme.ConfigError([axoneme.Problem("a.b", "f.toml", 3, "is wrong")]),
    axoneme.PolicyError([axoneme.Problem("spec.ingress", "web.yaml", 3, "is wrong")]),
    axoneme.PluginError("is odd", plugin="tc"),
    axoneme.PluginRejected("is old", plugin="tc"),
    axoneme.PluginFailed("raised", plugin="tc"),
    axoneme.DatapathError("no bpffs"),
    axoneme.LinkError("does not link", plugin="tc"),
    axoneme.VerifierError("refused", plugin="tc", stage="policy", trunk="to_pod", log=["a", "b"]),
    axoneme.AttachError("refused", attach_point="tcx of eth1", errno=errno.EPERM),
    axoneme.NotSupported("no tcx", feature="tcx", since="6.6"),
    axoneme.MapError("is odd", map="endpoints"),
    axoneme.LayoutMismatch("is pinned", map="endpoints", expected="aa", found="bb"),
    axoneme.MapFull("is full", map="endpoints"),
    axoneme.KeyNotFound("has no 10.0.0.1", map="endpoints"),
    axoneme.StateError("is no JSON", file="nodes/a.json"),
    axoneme.PoolExhausted("all are in use", pool="10.0.0.0/24", size=253),
    axoneme.AddressRefused("pod default/web has it", address="10.0.0.2"),
)
OF_KIND = {type(error): error for error in EXAMPLES}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_can_be_sent_to_another_process(error):
    """Pickled or copied, it has the same type, text and facts."""
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)
        assert again.args == error.args


def test_every_error_is_public_and_below_one_class():
    """A caller can catch everything of axoneme, and needs no private name for any of it."""
    defined = {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert {type(error).__name__ for error in EXAMPLES} == defined.keys()
    for name, value in defined.items():
        assert issubclass(value, axoneme.AxonemeError)
        assert getattr(axoneme, name) is value
        assert value.__doc__.count("\n") == 0, "one sentence that says what the reader should do"


def test_an_error_is_also_what_a_caller_of_python_expects():
    """A bad configuration is a ValueError, and a missing key a KeyError without its quotes."""
    assert issubclass(axoneme.ConfigError, ValueError)
    with pytest.raises(KeyError, match=r"^map endpoints: has no 10"):
        raise OF_KIND[axoneme.KeyNotFound]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OF_KIND[axoneme.ConfigError], "f.toml:3: a.b: is wrong"),
        (OF_KIND[axoneme.PluginRejected], "plugin tc: is old"),
        (
            OF_KIND[axoneme.VerifierError],
            "refused (plugin tc, stage policy, trunk to_pod)\n  a\n  b",
        ),
        (OF_KIND[axoneme.AttachError], "tcx of eth1: refused: Operation not permitted (EPERM)"),
        (OF_KIND[axoneme.NotSupported], "no tcx (needs kernel 6.6)"),
        (OF_KIND[axoneme.LayoutMismatch], "map endpoints: is pinned (layout bb, expected aa)"),
        (OF_KIND[axoneme.StateError], "nodes/a.json: is no JSON"),
        (OF_KIND[axoneme.PoolExhausted], "pool 10.0.0.0/24 of 253: all are in use"),
        (OF_KIND[axoneme.AddressRefused], "address 10.0.0.2: pod default/web has it"),
        (axoneme.AddressRefused("no rule allows it"), "no rule allows it"),
    ],
)
def test_the_text_has_the_facts(error, text):
    """Who only prints an error loses nothing."""
    assert str(error) == text


def test_of_a_long_verifier_log_the_end_is_shown():
    """The last lines say what was refused; all of them are in the attribute."""
    error = axoneme.VerifierError("refused", log=[f"line {n}" for n in range(500)])
    lines = str(error).splitlines()
    assert lines[0] == "refused"
    assert "line 499" in str(error)
    assert "line 400" not in str(error)
    assert lines[-1].strip() == "(488 lines before these)"
    assert len(error.log) == 500


def test_a_problem_without_a_line_names_the_file():
    """A section that is missing is on no line."""
    assert str(axoneme.Problem("a", "f", 0, "is missing")) == "f: a: is missing"


def test_the_nearest_name_is_the_one_that_was_meant():
    """A near name is offered, and none that only is the best of bad ones."""
    assert errors.nearest("portgard", ["tc", "portguard"]) == "portguard"
    assert errors.nearest("zeta", ["tc", "portguard"]) is None
