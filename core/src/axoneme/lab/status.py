# SPDX-License-Identifier: Apache-2.0
"""What a lab has now, for people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.lab.agents import find_agent

if TYPE_CHECKING:
    from axoneme.lab.lab import Lab
    from axoneme.lab.node import LabNode
    from axoneme.lab.operators import LabOperator


def describe(lab: Lab) -> dict[str, Any]:
    """Return nodes, operators and pods, with what the processes say of themselves."""
    settings = lab.settings
    return {
        "name": lab.name,
        "directory": str(lab.directory),
        "plugins": list(settings.plugins),
        "routing-mode": settings.routing_mode,
        "nodes": [_node(node) for node in lab.nodes],
        "operators": [_operator(operator) for operator in lab.operators],
        "outside": {"addresses": [str(address) for address in lab.outside_addresses]},
        "pods": [
            {
                "namespace": pod.namespace,
                "name": pod.name,
                "node": pod.node,
                "addresses": list(pod.addresses),
                "labels": dict(pod.labels),
            }
            for pod in lab.pods
        ],
    }


def _node(node: LabNode) -> dict[str, Any]:
    agent = find_agent(node)
    row: dict[str, Any] = {
        "name": node.name,
        "addresses": [str(address) for address in node.addresses],
        "pid": agent.pid if agent else None,
        "endpoints": None,
        "problems": [],
    }
    if agent is None:
        return row
    try:
        told = node.ask("status")
    except (OSError, ValueError) as error:
        return {**row, "problems": [str(error)]}
    return {**row, "endpoints": len(told["endpoints"]), "problems": told["problems"]}


def _operator(operator: LabOperator) -> dict[str, Any]:
    process = find_agent(operator)
    row: dict[str, Any] = {
        "name": operator.name,
        "pid": process.pid if process else None,
        "leading": False,
        "problems": [],
    }
    if process is None:
        return row
    try:
        told = operator.ask("status")
    except (OSError, ValueError) as error:
        return {**row, "problems": [str(error)]}
    return {**row, "leading": told["leading"], "problems": told["problems"]}
