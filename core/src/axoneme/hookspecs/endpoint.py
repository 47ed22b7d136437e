# SPDX-License-Identifier: Apache-2.0
"""Hooks of the endpoints: pods that come to the node and leave it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.hookspecs._marker import hookspec

if TYPE_CHECKING:
    from axoneme.datapath import Datapath
    from axoneme.model import Endpoint


@hookspec
def axoneme_endpoint_added(endpoint: Endpoint, datapath: Datapath, config: Any) -> None:
    """Write what the plugin keeps for an endpoint, as soon as its trunks are attached.

    Called once for each endpoint: when it appears, and for all that are there when the agent
    starts or the plugin is enabled. An endpoint that changed is removed and added.

    :param endpoint: the endpoint; core's own map has it already.
    :param datapath: what is loaded, and the plugin's way to its maps.
    :param config: the plugin's own section.

    One implementation returns nothing.

    Answers do not combine.

    If it raises, the plugin is quarantined and the others hear of the endpoint.

    .. versionadded:: 0.1
    """


@hookspec
def axoneme_endpoint_removed(endpoint: Endpoint, datapath: Datapath, config: Any) -> None:
    """Delete what the plugin keeps for an endpoint that is gone.

    Called once for each endpoint, after its link has gone and core's own map has lost it.

    :param endpoint: the endpoint as it was added.
    :param datapath: what is loaded, and the plugin's way to its maps.
    :param config: the plugin's own section.

    One implementation returns nothing.

    Answers do not combine.

    If it raises, the plugin is quarantined and the others hear of it.

    .. versionadded:: 0.1
    """
