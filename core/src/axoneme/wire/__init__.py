# SPDX-License-Identifier: Apache-2.0
"""What people write in manifests, checked: every field, with all that is wrong at once."""

from __future__ import annotations

from axoneme.wire.decode import Wire, decode, later, named
from axoneme.wire.faults import Faults, Path
from axoneme.wire.metadata import Expression, LabelSelector, Metadata
from axoneme.wire.terms import check_object_name, is_within, network, requirements

__all__ = [
    "Expression",
    "Faults",
    "LabelSelector",
    "Metadata",
    "Path",
    "Wire",
    "check_object_name",
    "decode",
    "is_within",
    "later",
    "named",
    "network",
    "requirements",
]
