# SPDX-License-Identifier: Apache-2.0
"""All that building an axoneme plugin needs: C headers, build hook, checks, codec, template."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["ABI", "INCLUDE", "LANES"]

#: The directory of the C headers: <axoneme/plugin.h>.
INCLUDE = Path(__file__).parent / "include"


def _constant(name: str) -> int:
    header = (INCLUDE / "axoneme" / "abi.h").read_text()
    found = re.search(rf"^#define {name}\s+(\d+)", header, re.MULTILINE)
    assert found is not None, f"{name} is not in abi.h"
    return int(found[1])


#: The datapath ABI of these headers; carried by every stage, compared when it is linked.
ABI = _constant("AXN_ABI")
#: How many plugins may fill one stage.
LANES = _constant("AXN_LANES")
