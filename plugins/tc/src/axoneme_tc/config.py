# SPDX-License-Identifier: Apache-2.0
"""The [tc] section of the configuration."""

from __future__ import annotations

from attrs import frozen


@frozen
class TcConfig:
    """Which objects of the plugin are linked."""

    #: Drop what a pod sends with an address that is not its own.
    admit: bool = True
    #: Deliver between two pods of a node without the kernel's routing.
    forward: bool = True
