# SPDX-License-Identifier: Apache-2.0
"""From a table to a class of settings: strict, complete, and never half."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal, NewType

import attrs
import pytest
from msgspec import Meta

from axoneme.config import settings_reader
from axoneme.config._document import dotted


class Mode(Enum):
    FAST = "fast"
    SAFE = "safe"


Port = NewType("Port", int)


def read(kind, value, **options):
    """Read one value as a field of a type; return it, or the sentences of what is wrong."""
    settings = attrs.make_class("Settings", {"key": attrs.field(type=kind, **options)})
    instance, faults = settings_reader(settings)({"key": value}, ("x",))
    return [f"{dotted(fault.path)}: {fault.message}" for fault in faults] or instance.key


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (int, 5, 5),
        (float, 1, 1.0),
        (Port, 80, 80),
        (Any, [1, "a"], [1, "a"]),
        (date, date(2026, 1, 2), date(2026, 1, 2)),
        (Path, "/run", Path("/run")),
        (Path | None, "", None),
        (str | None, "", ""),
        (IPv4Address | IPv6Address, "fe80::1", IPv6Address("fe80::1")),
        (IPv4Network, "10.0.0.0/8", IPv4Network("10.0.0.0/8")),
        (Mode, "safe", Mode.SAFE),
        (Literal["a", 2], 2, 2),
        (Annotated[int, Meta(ge=1)], 1, 1),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[str, int], ["a", 1], ("a", 1)),
        (tuple, [1, "a"], (1, "a")),
        (list[str], ["a"], ["a"]),
        (Sequence[int], [1], (1,)),
        (frozenset[str], ["a", "a"], frozenset({"a"})),
        (dict[str, int], {"a-b": 1}, {"a-b": 1}),
        (Mapping[str, tuple[Path, ...]], {"a": ["/b"]}, {"a": (Path("/b"),)}),
        (int | str, "a", "a"),
    ],
)
def test_a_value_becomes_what_the_field_declares(kind, value, expected):
    """Each type that a setting may have is read from the TOML value that stands for it."""
    found = read(kind, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (int, "5", "x.key: expected int, got str"),
        (int, 1.0, "x.key: expected int, got float"),
        (int, True, "x.key: expected int, got bool"),
        (bool, 1, "x.key: expected bool, got int"),
        (str, 5, "x.key: expected str, got int"),
        (Path, 5, "x.key: expected a string, got an integer"),
        (IPv4Address, "10.0.0", "x.key: '10.0.0' is no IPv4 address"),
        (
            IPv4Address | IPv6Address,
            "10.0.0",
            "x.key: '10.0.0' is no IPv4 address, and '10.0.0' is no IPv6 address",
        ),
        (Mode, "slow", "x.key: 'slow' is none of 'fast', 'safe'"),
        (Annotated[int, Meta(ge=1)], 0, "x.key: expected int >= 1"),
        (tuple[int, ...], 1, "x.key: expected an array, got an integer"),
        (tuple[int, ...], [1, "a"], "x.key[1]: expected int, got str"),
        (tuple[str, int], ["a"], "x.key: expected an array of 2 items, got 1 items"),
        (frozenset, [[1]], "x.key: items of a set must be simple values: unhashable type: 'list'"),
        (dict[str, int], {"a": {}}, "x.key.a: expected int, got object"),
        (dict[str, int], [], "x.key: expected a table, got an array"),
        (dict[str, dict[str, int]], {"a b": {"c": ""}}, 'x.key."a b".c: expected int, got str'),
    ],
)
def test_a_value_of_another_type_is_refused(kind, value, told):
    """Nothing is made to fit: the key, or the item of it, is named with what it must be."""
    assert read(kind, value) == [told]


@pytest.mark.parametrize("kind", [object, bytes, dict[int, str], type, tuple[int, object]])
def test_a_class_with_a_type_that_toml_lacks_is_refused(kind):
    """A field that no value could ever fill is the mistake of the class."""
    with pytest.raises(TypeError, match=r"^Settings\.key: "):
        read(kind, 1)


@attrs.frozen
class Rule:
    """One rule of a nested table."""

    port: int = attrs.field(validator=attrs.validators.le(65535))
    from_: str = ""
    _note: str = ""


@attrs.frozen
class Guard:
    """Settings with every kind of nesting."""

    name: str
    first_rule: Rule = Rule(1)
    rules: tuple[Rule, ...] = ()
    by_name: Mapping[str, Rule] = attrs.field(factory=dict)
    last: Rule | None = None
    computed: int = attrs.field(init=False, default=3)


def faults_of(settings, table):
    """Return the faults of a table, sorted, each as key and sentence."""
    _, faults = settings_reader(settings)(table, ())
    return sorted(f"{dotted(fault.path)}: {fault.message}" for fault in faults)


def test_nested_classes_are_read_wherever_they_are():
    """A table in a table, in an array and in a table of tables becomes the class it stands for."""
    table = {
        "name": "n",
        "first-rule": {"port": 1, "from": "a", "note": "b"},
        "rules": [{"port": 2}],
        "by-name": {"x": {"port": 3}},
        "last": {"port": 4},
    }
    guard, faults = settings_reader(Guard)(table, ())
    assert not faults
    assert guard == Guard("n", Rule(1, "a", "b"), (Rule(2),), {"x": Rule(3)}, Rule(4))


def test_all_faults_are_found_at_once():
    """A wrong key does not hide the next one, at any depth."""
    table = {
        "first_rule": {},
        "rules": [{"port": 1}, {"port": 70000, "prot": "tcp"}],
        "by-name": {"x": {}},
        "last": {"port": "80"},
    }
    assert faults_of(Guard, table) == [
        "by-name.x.port: is missing and has no default",
        "first_rule: unknown key",
        "last.port: expected int, got str",
        "name: is missing and has no default",
        "rules[1].port: 'port' must be <= 65535: 70000",
        "rules[1].prot: unknown key",
    ]


def test_an_unknown_key_names_the_nearest():
    """Who wrote a key of Python, or a letter less, sees the key that was meant."""
    _, faults = settings_reader(Guard)({"name": "n", "first_rule": {}, "rulse": []}, ())
    assert {fault.path[0]: fault.nearest for fault in faults} == {
        "first_rule": "first-rule",
        "rulse": "rules",
    }


def test_an_unknown_key_like_no_other_lists_those_there_are():
    """Without a near one, the few keys that there are get listed."""
    assert faults_of(Rule, {"port": 1, "zzz": 1}) == [
        "zzz: unknown key; the table takes from, note, port"
    ]


def test_a_field_that_is_no_argument_is_no_key():
    """What a class computes for itself cannot be set."""
    assert faults_of(Guard, {"name": "n", "computed": 1}) == [
        "computed: unknown key; the table takes by-name, first-rule, last, name, rules"
    ]


def test_a_converter_takes_the_type_of_its_argument():
    """What a file has is checked against what the converter takes, not against the field."""

    def ports(texts: tuple[str, ...]) -> frozenset[int]:
        return frozenset(map(int, texts))

    options = {"converter": ports}
    assert read(frozenset[int], ["80", "81"], **options) == {80, 81}
    assert read(frozenset[int], [80], **options) == ["x.key[0]: expected str, got int"]
    told = "x.key: invalid literal for int() with base 10: 'http'"
    assert read(frozenset[int], ["http"], **options) == [told]


def test_a_converter_may_ask_for_the_instance():
    """The converters of attrs that take more than the value work as in attrs."""

    def scaled(value: int, instance: Any, field: Any) -> int:
        return value * 10

    converter = attrs.Converter(scaled, takes_self=True, takes_field=True)
    assert read(int, 4, converter=converter) == 40
    assert read(int, 4, converter=converter, validator=attrs.validators.lt(4)) == [
        "x.key: 'key' must be < 4: 40"
    ]


def test_each_validator_is_heard():
    """Of two wrong values both are named, though attrs itself would stop at the first."""
    settings = attrs.make_class(
        "Settings",
        {
            "low": attrs.field(type=int, validator=attrs.validators.ge(0)),
            "high": attrs.field(type=int, validator=[attrs.validators.le(9)]),
        },
    )
    assert faults_of(settings, {"low": -1, "high": 10}) == [
        "high: 'high' must be <= 9: 10",
        "low: 'low' must be >= 0: -1",
    ]


def test_a_validator_may_look_at_other_fields():
    """It sees them as they are, and is not blamed for one that could not be read."""

    def above_low(instance, _, value):
        if value <= instance.low:
            raise ValueError(f"must be above low, {instance.low}")

    settings = attrs.make_class(
        "Settings",
        {"low": attrs.field(type=int), "high": attrs.field(type=int, validator=above_low)},
    )
    assert faults_of(settings, {"low": 5, "high": 4}) == ["high: must be above low, 5"]
    assert faults_of(settings, {"low": "5", "high": 4}) == ["low: expected int, got str"]


def test_a_validator_sees_the_defaults_of_other_fields():
    """A default that is made for each instance is there like any other."""

    def known(instance, _, value):
        if value not in instance.names:
            raise ValueError(f"must be one of {instance.names}")

    settings = attrs.make_class(
        "Settings",
        {
            "names": attrs.field(type=list[str], factory=lambda: ["a"]),
            "chosen": attrs.field(type=str, validator=known, kw_only=True),
        },
    )
    assert faults_of(settings, {"chosen": "b"}) == ["chosen: must be one of ['a']"]


def test_a_fault_inside_a_table_says_which_of_two_types_was_meant():
    """Where a table or a number may stand, a wrong key of the table is what is wrong."""
    assert read(Rule | int, {"port": "a"}) == ["x.key.port: expected int, got str"]
    assert read(Rule | int, "a") == [
        "x.key: expected a table, got a string, and expected int, got str"
    ]


def test_a_check_of_the_whole_names_the_table():
    """What only the instance as a whole refuses is a fault of its table."""

    @attrs.frozen
    class Whole:
        low: int = 1
        high: int = 2

        def __attrs_post_init__(self):
            if self.low > self.high:
                raise ValueError("low must not be above high")

    _, (fault,) = settings_reader(Whole)({"low": 3}, ("x",))
    assert (fault.path, fault.message) == (("x",), "low must not be above high")


def test_a_fault_in_a_validator_itself_shows_its_type():
    """A KeyError says little without its name."""

    def broken(*_):
        raise KeyError("zone")

    assert read(int, 1, validator=broken) == ["x.key: KeyError: zone"]


def test_types_for_type_checkers_only_are_explained():
    """A class whose types are not there when it runs cannot be read."""
    settings = attrs.make_class("Settings", {"key": attrs.field(type="Elsewhere")})
    with pytest.raises(TypeError, match="outside of TYPE_CHECKING"):
        settings_reader(settings)
