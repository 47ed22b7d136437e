# SPDX-License-Identifier: Apache-2.0
"""Wire types of what several kinds have: metadata and selectors of labels."""

from __future__ import annotations

from typing import Any, Literal

from axoneme.wire.decode import Wire


class Metadata(Wire):
    """The name, and what servers and tools add to it."""

    name: str
    namespace: str | None = None
    annotations: Any = None
    creation_timestamp: Any = None
    deletion_grace_period_seconds: Any = None
    deletion_timestamp: Any = None
    finalizers: Any = None
    generate_name: Any = None
    generation: Any = None
    labels: Any = None
    managed_fields: Any = None
    owner_references: Any = None
    resource_version: Any = None
    self_link: Any = None
    uid: Any = None


class Expression(Wire):
    """One item of matchExpressions."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] | None = None


class LabelSelector(Wire):
    """Labels that must all be as said; empty, it selects everything."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[Expression, ...] | None = None
