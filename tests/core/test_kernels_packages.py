# SPDX-License-Identifier: Apache-2.0
"""Which Debian package a kernel series is."""

from __future__ import annotations

import pytest
from tests.kernels.packages import concrete_package

DEPENDS = """\
linux-image-amd64
  Depends: linux-image-6.1.0-56-amd64
  Suggests: linux-image-6.1.0-55-amd64
"""


def test_the_concrete_package_is_what_the_metapackage_depends_on() -> None:
    """A suggestion is not taken."""
    assert concrete_package(DEPENDS, "6.1") == "linux-image-6.1.0-56-amd64"


def test_a_package_name_may_hold_a_plus() -> None:
    """The kernels in Debian's updates are named so."""
    depends = "linux-image-6.12-amd64\n  Depends: linux-image-6.12.117+deb12-amd64\n"
    assert concrete_package(depends, "6.12") == "linux-image-6.12.117+deb12-amd64"


@pytest.mark.parametrize("release", ["6.12.95", "6.11.0", "5.10.0"])
def test_a_kernel_of_another_series_is_not_taken(release: str) -> None:
    """On another Debian the same metapackage depends on another kernel."""
    assert concrete_package(DEPENDS.replace("6.1.0", release), "6.1") is None


def test_an_unknown_metapackage_has_no_kernel() -> None:
    """What apt-cache prints then is empty."""
    assert concrete_package("", "6.1") is None
