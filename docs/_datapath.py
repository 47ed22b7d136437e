# SPDX-License-Identifier: Apache-2.0
"""The parts that come from headers and objects: ABI, reasons, maps, features."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from _markdown import Table, code, listing

from axoneme.datapath import feature_since
from axoneme.datapath.features import KERNEL_FLOOR, SINCE
from axoneme.datapath.images import IMAGES, all_stages, shared_codec, trunk_object
from axoneme.datapath.maps import DEFAULT_ENTRIES
from axoneme.datapath.reasons import core_reasons as reasons_of_core
from axoneme_sdk import ABI, INCLUDE, LANES
from axoneme_sdk.checks import STAGE_STACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from _markdown import Blocks

    from axoneme.datapath import Trunk
    from axoneme_sdk.btf import Btf

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_MAP_TYPES = {
    1: "hash",
    2: "array",
    5: "per-CPU hash",
    6: "per-CPU array",
    11: "LPM trie",
    27: "ring buffer, in bytes",
}


def abi() -> dict[str, Callable[[], Blocks]]:
    """The parts of the ABI's page."""
    return {
        "numbers": numbers,
        "trunks": trunks,
        "stages": stages,
        "verdicts": partial(enum, "axn_verdict"),
        "tuple": partial(struct, "tc", "tuple"),
        "packet": partial(struct, "tc", "packet"),
        "packet-flags": partial(enum, "axn_packet_flag"),
        "directions": partial(enum, "axn_direction"),
        "socket-call": partial(struct, "socket", "socket_call"),
        "socket-attach": partial(enum, "axn_socket_attach"),
    }


def numbers() -> Blocks:
    """The numbers that everything else is bound by."""
    btf = trunk_object("tc").declarations.btf
    rows = (
        ("datapath ABI", ABI),
        ("lanes a stage", LANES),
        ("bytes of `struct packet`", btf.find("struct", "packet").size),
        ("bytes of stack a stage", STAGE_STACK),
    )
    yield Table(("number", "value"), [(name, str(value)) for name, value in rows])


def _all_trunks() -> list[Trunk]:
    return [trunk for image in IMAGES for trunk in trunk_object(image).trunks]


def trunks() -> Blocks:
    """Every program of core, with its stages."""
    rows = [(code(t.name), code(t.image), listing(t.stages)) for t in _all_trunks()]
    yield Table(("trunk", "image", "stages, in order"), rows, "attach point")


def stages() -> Blocks:
    """Every stage, with the trunks that run it."""
    ran_by = {stage: [t.name for t in _all_trunks() if stage in t.stages] for stage in all_stages()}
    order = _enumerators("axn_stage")
    rows = [
        (code(name), str(number), listing(ran_by[name]))
        for name, number in ((n.removeprefix("AXN_STAGE_"), v) for n, v in order.items())
    ]
    yield Table(("stage", "number", "run by"), rows, "what it is for")


def enum(name: str) -> Blocks:
    """An enum of the headers."""
    rows = [
        (code(n), f"`{v:#x}`" if "flag" in name else str(v)) for n, v in _enumerators(name).items()
    ]
    yield Table(("name", "value"), rows, "meaning")


def _enumerators(name: str) -> dict[str, int]:
    """The names and numbers of an enum: most are not in the BTF, since no object uses them."""
    for header in sorted((INCLUDE / "axoneme").glob("*.h")):
        text = _COMMENT.sub("", header.read_text())
        if found := re.search(rf"^enum {name} \{{(.*?)\}};", text, re.DOTALL | re.MULTILINE):
            return _count(found[1])
    raise SystemExit(f"no header has an enum {name}")


def _count(body: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in filter(str.strip, body.split(",")):
        name, _, value = (part.strip() for part in item.partition("="))
        one, shift, places = value.partition("<<")
        number = int(one) << int(places) if shift else int(value or len(found))
        found[name] = number
    return found


def struct(image: str, name: str) -> Blocks:
    """The fields of a struct, as the compiler laid them out."""
    btf = trunk_object(image).declarations.btf
    record = btf.find("struct", name)
    rows = [
        (code(m.name), str(m.offset // 8), str(btf.sizeof(m.type)), code(_c_type(btf, m.type)))
        for m in btf.members(record)
    ]
    yield Table(("field", "offset", "bytes", "type"), rows, "meaning")
    yield f"`sizeof(struct {name})` is {record.size}."


def _c_type(btf: Btf, type_id: int) -> str:
    kind = btf.types[type_id]
    if kind.kind == "array":
        element, count = btf.array(kind)
        return f"{_c_type(btf, element)}[{count}]"
    return f"{kind.kind} {kind.name}" if kind.kind in {"struct", "union"} else kind.name


def core_reasons() -> Blocks:
    """The numbers of core's header."""
    rows = [(code(r.name), str(r.number), r.text) for r in reasons_of_core().values()]
    yield Table(("reason", "number", "shown as"), rows, "when")


def probe_constants() -> Blocks:
    """The marks of a probe."""
    text = (INCLUDE / "axoneme" / "probe.h").read_text()
    found = re.findall(r"^#define (AXN_PROBE_\w+)\s+([0-9a-fx]+)", text, re.MULTILINE)
    yield Table(("constant", "value"), [(code(n), code(v)) for n, v in found], "meaning")


def shared_maps() -> Blocks:
    """The maps that core owns."""
    codec, rows = shared_codec(), []
    for declaration in trunk_object("tc").declarations.maps:
        name, numbers_ = declaration.name, declaration.definition.numbers
        key, value, layout_hash, layout = codec.MAPS[name]
        kind = _MAP_TYPES[numbers_["type"]]
        cells = (key, value, DEFAULT_ENTRIES[name], f"{name}_v{layout}", layout_hash)
        rows.append((code(name), kind, *map(code, cells)))
    columns = ("map", "type", "key", "value", "entries", "pin", "layout hash")
    yield Table(columns, sorted(rows), "what it holds, and who writes it")


def layouts() -> Blocks:
    """The types of keys and values, field by field."""
    codec = shared_codec()
    used = {c_type for row in codec.MAPS.values() for c_type in row[:2]}
    for c_type in sorted(used):
        if any(name for name, *_ in codec.FIELDS[c_type]):
            yield f"### `{c_type}`"
            yield f"{codec.SIZES[c_type]} bytes."
            rows = [(code(n), str(o), str(s), kind) for n, o, s, kind in codec.FIELDS[c_type]]
            yield Table(("field", "offset", "bytes", "kind"), rows, "meaning")


def features() -> Blocks:
    """The features that have a name of their own, and the floor."""
    yield f"The floor is kernel {'.'.join(map(str, KERNEL_FLOOR))}."
    rows = []
    for name in SINCE:
        since = feature_since(name)
        rows.append((code(name), ".".join(map(str, since or ()))))
    yield Table(("feature", "first kernel"), rows, "what uses it")
