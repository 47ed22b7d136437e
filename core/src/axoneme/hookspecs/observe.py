# SPDX-License-Identifier: Apache-2.0
"""Hooks of what can be watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.hookspecs._marker import hookspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from axoneme.datapath import Datapath


@hookspec
def axoneme_metrics(datapath: Datapath, config: Any) -> Iterable[Metric]:
    """Read the plugin's counters from its maps, as metric families of Prometheus.

    Called for each scrape and each `axoneme metrics`: read, and change nothing.

    :param datapath: what is loaded, and the plugin's way to its maps.
    :param config: the plugin's own section.

    One implementation returns metric families whose names begin with `axoneme_<plugin>_`.

    Answers are joined, in the order of the plugins' names.

    If it raises, or returns anything but metric families, the plugin is quarantined and the
    others are shown.

    .. versionadded:: 0.1
    """
