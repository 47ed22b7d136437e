# SPDX-License-Identifier: Apache-2.0
"""Building a package: the compiler's words, all that is broken, the same bytes everywhere."""

from __future__ import annotations

import pytest

from axoneme_sdk.build import build_package
from axoneme_sdk.compile import BuildError

from .conftest import RICH

NAMED = "#include <axoneme/plugin.h>\nAXN_STAGE(policy) { return %s; }\n"


def test_a_package_gets_its_objects_and_one_codec(package):
    """Beside the sources, where an editable install finds them."""
    directory = package(rich=RICH, small=NAMED % "AXN_NEXT")
    built = build_package(directory)
    assert [path.relative_to(directory).as_posix() for path in built] == [
        "bpf/rich.bpf.o",
        "bpf/small.bpf.o",
        "_codec.py",
    ]
    assert all(path.is_file() for path in built)


def test_an_object_is_the_same_bytes_wherever_it_is_built(package):
    """No path, time or machine gets into it, nor into the codec."""
    one, two = (build_package(package(at=at, rich=RICH)) for at in ("a", "b/c d"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_an_unknown_stage_is_named_with_the_nearest(package):
    """By the compiler itself, with file and line."""
    text = (NAMED % "AXN_NEXT").replace("policy", "polcy")
    with pytest.raises(BuildError) as caught:
        build_package(package(mine=text))
    assert "mine.bpf.c:2" in str(caught.value)
    assert "'AXN_STAGE_polcy'; did you mean 'AXN_STAGE_policy'?" in str(caught.value)


def test_every_object_that_breaks_a_rule_is_named(package):
    """Not only the first: one build says it all."""
    broken = NAMED % "AXN_NEXT" + "int alien(int a) { return a; }\n"
    directory = package(one=broken, two=broken.replace("alien", "stranger"))
    with pytest.raises(BuildError) as caught:
        build_package(directory)
    assert [line.split(" must ")[0] for line in str(caught.value).splitlines()] == [
        "one.bpf.c: global alien",
        "two.bpf.c: global stranger",
    ]


def test_an_object_whose_layouts_cannot_be_read_is_named(package):
    """A pointer in a map's value is a build error with the file's name."""
    text = RICH.replace("__u64 packets;", "void *packets;").replace(
        "value->packets > mine_limit", "value->packets"
    )
    with pytest.raises(BuildError, match=r"rich\.bpf\.c: map mine_rows: a pointer cannot stand"):
        build_package(package(rich=text))


def test_a_package_without_sources_says_where_they_belong(package):
    """The suffix is part of the name."""
    with pytest.raises(BuildError, match=r"axoneme_mine/bpf has no \*\.bpf\.c"):
        build_package(package())


def test_a_missing_compiler_says_what_to_install(package, monkeypatch):
    """And how to name another."""
    monkeypatch.setenv("AXONEME_CLANG", "/nowhere/clang")
    with pytest.raises(BuildError) as caught:
        build_package(package(mine=NAMED % "AXN_NEXT"))
    assert str(caught.value) == (
        "/nowhere/clang was not found: install clang and libbpf-dev, or set AXONEME_CLANG"
    )


def test_a_warning_of_the_compiler_is_an_error(package):
    """What clang warns of in a stage is a fault in it."""
    with pytest.raises(BuildError, match="unused variable 'forgotten'"):
        build_package(package(mine=NAMED % "0; int forgotten"))
