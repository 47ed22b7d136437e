# SPDX-License-Identifier: Apache-2.0
"""Hooks of what can be watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.hookspecs._marker import hookspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from axoneme.datapath import Datapath, Step
    from axoneme.model import Lookup


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


@hookspec
def axoneme_explain(step: Step, datapath: Datapath, config: Any) -> Iterable[Lookup]:
    """Say what a stage of the plugin asked its maps about the packet of a probe.

    Called for each answer of the plugin's lanes when somebody asks why a packet gets through or
    not: read, and change nothing. Core shows the keys and the rows that the kernel has.

    :param step: what the lane answered, and the packet as it left it.
    :param datapath: what is loaded, and the plugin's way to its maps.
    :param config: the plugin's own section.

    One implementation returns what was looked up, in order; nothing where that is not worth a
    line.

    Answers do not combine: only the plugin whose lane it is is asked.

    If it raises, or returns anything but Lookup, the plugin is quarantined and the answer has
    no lines of it.

    .. versionadded:: 0.2
    """
