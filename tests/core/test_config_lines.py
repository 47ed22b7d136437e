# SPDX-License-Identifier: Apache-2.0
"""The line of a key: found by cutting a text into statements, checked against brute force."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axoneme.config._lines import key_lines

VALUES = (
    "1",
    '"# no comment [nor = table]"',
    "'\\'",
    '"""\n[no.table]\nno = "key"\n"""',
    '"""two quotes: ""\\""\n# more\n"""""',
    "'''\n'[no]'\n''''",
    "[\n  1, # one ]\n  2,\n\n]",
    "[[1, 2], [\n3]]",
    '["""ends in a quote"""", "]",\n1]',
    "['''ends in a quote'''', ']',\n1]",
    "{ one = 1, two.three = [\n4,\n] }",
    "[{ one = 1 }, { one = 2 }]",
)


def parse(text):
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def paths(value, path=()):
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else items:
        yield from paths(item, (*path, key))


def lines_by_brute_force(text):
    """Take ever longer prefixes: a key appears in the one that ends with its statement."""
    lines, seen, start = {}, set(), 1
    for number in range(1, text.count("\n") + 2):
        tree = parse("\n".join(text.split("\n")[:number]) + "\n")
        if tree is not None:
            new = set(paths(tree)) - seen
            lines |= dict.fromkeys(new, start)
            seen |= new
            start = number + 1
    return lines


@st.composite
def texts(draw):
    """Make texts of every kind of statement; the numbers keep keys from meeting."""
    blocks = []
    for number in range(draw(st.integers(0, 6))):
        key = draw(st.sampled_from(["k", "k . 'a b'", 't."#"']))
        keyed = f"{key}.n{number} = {draw(st.sampled_from(VALUES))}"
        header = draw(st.sampled_from([f"[s{number}.'x.y']", "[[items]]", "[[items.more]]"]))
        if "[[items]]" not in blocks:
            header = header.replace("[[items.more]]", "[[items]]")
        blocks.append(draw(st.sampled_from([keyed, keyed, header, "", "# [c] = '", " \t"])))
        if blocks[-1] == header:
            blocks.append(f"own{number} = {draw(st.sampled_from(VALUES))}  # more = 1")
    return "\n".join(blocks) + draw(st.sampled_from(["", "\n"]))


@given(texts(), st.booleans())
def test_every_key_is_on_the_line_of_its_statement(text, has_returns):
    """What the cutter finds is what parsing every prefix of the text finds."""
    text = text.replace("\n", "\r\n") if has_returns else text
    assert tomllib.loads(text) is not None
    assert key_lines(text) == lines_by_brute_force(text)


def test_a_line_ends_with_a_line_feed_only():
    """Other separators that Python knows are text like any other."""
    text = 'a = "\u2028\u0085"\r\n# \u2028\r\nb = 1'
    assert key_lines(text) == {("a",): 1, ("b",): 3}


def test_tables_of_an_array_are_told_apart():
    """A key in the second table of an array is not on the line of the first."""
    text = (
        "[[a.rule]]\nport = 1\n[a.rule.more]\nx = 1\n[[a.rule]]\nport = 2\n[[a.rule.sub]]\ny = 1\n"
    )
    lines = key_lines(text)
    assert lines["a", "rule", 0, "port"] == 2
    assert lines["a", "rule", 0, "more", "x"] == 4
    assert lines["a", "rule", 1, "port"] == 6
    assert lines["a", "rule", 1, "sub", 0, "y"] == 8


@pytest.mark.timeout(20)
def test_a_long_array_does_not_take_long():
    """An error in a text of many lines is reported at once."""
    text = "a = [\n" + "  1,\n" * 100_000 + "]\nb = 2\n"
    assert key_lines(text)["b",] == 100_003
