# SPDX-License-Identifier: Apache-2.0
"""Skips that cannot rot: a kernel that should have a feature must have it."""

from __future__ import annotations

import pytest

from axoneme.datapath import feature_since, kernel_version, supported


def require(feature: str) -> None:
    """Skip the running test if this kernel lacks a feature; fail if it should have it."""
    if supported(feature):
        return
    since = feature_since(feature)
    if since is not None and kernel_version() >= since:
        pytest.fail(f"the probe finds no {feature}, which kernels have since {since[0]}.{since[1]}")
    pytest.skip(f"kernel lacks {feature}")
