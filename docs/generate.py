# SPDX-License-Identifier: Apache-2.0
"""Write the generated parts of the documentation: python docs/generate.py [--check].

A part stands between the comments `<!-- begin NAME -->` and `<!-- end NAME -->`; what is in it
comes from code, headers and objects. In some tables the last column is written by people: it is
kept, by the first column of its row, and may not be empty.

With --check nothing is written: what is stale or empty is named, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import _datapath
import _pictures
import _python
from _markdown import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from _markdown import Blocks

ROOT = Path(__file__).resolve().parent.parent
_BEGIN, _END = "<!-- begin {} -->\n", "<!-- end {} -->\n"


def pages() -> dict[Path, dict[str, Callable[[], Blocks]]]:
    """Every page with generated parts; READMEs first, since another page copies from them."""
    reference = ROOT / "docs" / "reference"
    plugins = {plugin.readme: plugin.parts() for plugin in _python.plugins(ROOT)}
    return plugins | {
        ROOT / "README.md": pictures(),
        reference / "datapath-abi.md": _datapath.abi(),
        reference / "drop-reasons.md": {
            "core-reasons": _datapath.core_reasons,
            "plugin-reasons": lambda: _python.plugin_reasons(ROOT),
        },
        reference / "marks.md": {"probe-constants": _datapath.probe_constants},
        reference / "maps.md": {
            "shared-maps": _datapath.shared_maps,
            "layouts": _datapath.layouts,
            "plugin-maps": lambda: _python.plugin_maps(ROOT),
        },
        reference / "kernels.md": {"features": _datapath.features},
        reference / "hooks.md": {
            "hooks": lambda: _python.hooks(ROOT),
            "plugin-object": _python.plugin_object,
        },
        reference / "configuration.md": {
            "agent": _python.agent_settings,
            "plugins": lambda: _python.plugin_settings(ROOT),
            "spellings": lambda: _python.other_spellings(ROOT),
        },
        reference / "command.md": {"commands": _python.commands},
        reference / "metrics.md": {
            "metrics": _python.metrics,
            "operator-metrics": _python.operator_metrics,
        },
        reference / "versions.md": {"distributions": lambda: _python.distributions(ROOT)},
    }


def pictures() -> dict[str, Callable[[], Blocks]]:
    """The ways of packets, for the first page that people read."""
    fillers = _python.fillers(ROOT)
    return {
        "on-a-node": lambda: _pictures.on_a_node(fillers),
        "native": lambda: _pictures.between_nodes("to_uplink", "from_uplink", fillers),
        "overlay": lambda: _pictures.between_nodes("to_overlay", "from_overlay", fillers),
    }


def splice(page: Path, parts: dict[str, Callable[[], Blocks]]) -> tuple[str, list[str]]:
    """A page's text with its parts written anew, and the rows that lack their sentence."""
    text, empty = page.read_text(), []
    for name, make in parts.items():
        begin, end = _BEGIN.format(name), _END.format(name)
        if text.count(begin) != 1 or text.count(end) != 1:
            raise SystemExit(f"{page}: needs the lines {begin.strip()} and {end.strip()} once each")
        before, _, rest = text.partition(begin)
        old, _, after = rest.partition(end)
        new, missing = render(make(), old)
        empty += missing
        text = f"{before}{begin}\n{new}\n{end}{after}"
    return text, empty


def main() -> int:
    """Write or check all pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what is stale")
    check = parser.parse_args().check
    problems = []
    for page, parts in pages().items():
        name, old = str(page.relative_to(ROOT)), page.read_text()
        new, empty = splice(page, parts)
        problems += [f"{name}: {row} has no text: write it in the last column" for row in empty]
        if new == old:
            continue
        if check:
            lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, "now", n=0)
            problems += [f"{name} is stale: run `make docs`", *list(lines)[2:]]
        else:
            page.write_text(new)
            sys.stdout.write(f"wrote {name}\n")
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
