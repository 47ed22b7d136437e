# SPDX-License-Identifier: Apache-2.0
"""YAML into values: as Kubernetes reads it, which is as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axoneme.sources.manifests._yaml import YamlError, read_documents


def read(text):
    (document,) = read_documents(text.encode())
    return document.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", True),
        ("No", False),
        ("y", "y"),
        ("'on'", "on"),
        ("80", 80),
        ("-3", -3),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 15),
        ("089", 89.0),
        ("1e3", 1000.0),
        ('"80"', "80"),
        ("12:30:45", "12:30:45"),
        ("2026-01-02", "2026-01-02"),
        ("1_000", "1_000"),
        (".nan", ".nan"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("fd00::/8", "fd00::/8"),
        ("!!str 80", "80"),
        ("! 80", "80"),
        ("!!int 80", 80),
        ("|\n  a\n  b\n", "a\nb\n"),
        (f"{'9' * 40}", float("9" * 40)),
        ("[~, null, ]", [None, None]),
    ],
)
def test_a_word_means_what_a_cluster_takes_it_for(text, value):
    """Numbers of base 60, dates and the like are text there, and so they are here."""
    found = read(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text():
    """A key is what was written: on stays on, and 80 is no number."""
    assert read("{on: 1, 80: 2, ~: 3}") == {"on": 1, "80": 2, "~": 3}


def test_aliases_and_merges_are_resolved():
    """What a mapping says itself goes before what it merges, and the first merged before others."""
    text = """
base: &base {a: 1, b: 1}
other: &other {b: 2, c: 2}
one: {<<: *base, b: 3}
two: {<<: [*base, *other]}
again: *base
"""
    value = read(text)
    assert value["one"] == {"a": 1, "b": 3}
    assert value["two"] == {"a": 1, "b": 1, "c": 2}
    assert value["again"] == value["base"]


def test_an_anchor_is_of_its_document():
    """An alias does not reach into the document before."""
    with pytest.raises(YamlError, match="no anchor"):
        read_documents(b"a: &x 1\n---\nb: *x\n")


def test_lines_are_those_of_the_file():
    """Of each document, and of each mapping in it."""
    one, two = read_documents(b"# comment\n---\na: 1\n---\n\nitems:\n- b: 2\n- {c: 3}\n")
    assert (one.line, two.line) == (3, 6)
    assert [two.line_of(item) for item in two.value["items"]] == [7, 8]


@pytest.mark.parametrize("text", ["", "# nothing", "---\n---\n", "~", "---\n# a\n...\n"])
def test_what_is_empty_has_no_documents(text):
    """An empty file is no mistake."""
    assert read_documents(text.encode()) == []


#: JSON escapes characters beyond these in two parts, which YAML does not put together.
TEXT = st.characters(max_codepoint=0xD7FF)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(TEXT, max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(TEXT, max_size=8).filter(lambda key: key != "<<"), inner, max_size=4
        )
    ),
    max_leaves=15,
)


@given(JSON.filter(lambda value: value is not None))
@settings(deadline=None)
def test_json_is_yaml(value):
    """Whatever JSON says is read as JSON reads it."""
    assert read(json.dumps(value)) == value


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#,? \n\t~<0", max_size=60))
@settings(deadline=None)
def test_whatever_is_written_is_read_or_refused(text):
    """There is no other error, and a line in it that the file has."""
    try:
        read_documents(text.encode())
    except YamlError as error:
        assert 0 <= error.line <= text.count("\n") + 1  # noqa: PT017 - most texts are no error
