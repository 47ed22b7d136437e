# SPDX-License-Identifier: Apache-2.0
"""The operator: one process of the cluster that gives nodes the networks for their pods."""

from __future__ import annotations

from axoneme.operator.operator import Operator

__all__ = ["Operator"]
