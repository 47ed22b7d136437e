# SPDX-License-Identifier: Apache-2.0
"""An operator killed at every step: the next one finds nothing half done, lost or given twice."""

from __future__ import annotations

import signal
import time

import pytest
from tests.system.operators import Operated

from axoneme.testing import scaled

NODES = 2
#: As many parts as there are nodes: one that is lost is missed.
POOLS = """
[ipam]
cluster-pool-ipv4-cidr = ["10.0.0.0/23"]
cluster-pool-ipv6-cidr = ["fd00::/119"]
"""
_MOST_STEPS = 100


def run_until_killed(operated, step):
    """Start an operator that dies at a step; whether it did, rather than serve all nodes."""
    command = ("-m", "tests.system.dying_operator", str(step), str(operated.source.state))
    dying = operated.operator("dying", POOLS, ("ipam",), command=command).launch()
    end = time.monotonic() + scaled(20)
    while dying.process.poll() is None and not operated.served:
        assert time.monotonic() < end, dying.log.read_text()
        time.sleep(0.01)
    time.sleep(0.1)
    if dying.process.poll() is None:
        dying.kill()
        return False
    assert dying.process.returncode == -signal.SIGKILL, dying.log.read_text()
    return True


@pytest.mark.timeout(600)
def test_an_operator_is_killed_at_every_step(tmp_path):
    """Before each change that it makes to a file; then another one does the rest."""
    for step in range(1, _MOST_STEPS):
        with Operated(tmp_path / str(step)) as operated:
            operated.add_nodes(NODES)
            killed = run_until_killed(operated, step)
            with operated.operator("next", POOLS, ("ipam",)) as successor:
                successor.wait_for(lambda: successor.leads, "the next operator to lead")
                successor.wait_for(lambda: operated.served, "every node to be served")
                successor.wait_for(lambda: _counted(successor), "the pool to be counted")
            operated.check(NODES, networks=2)
        if not killed:
            break
    assert 10 < step < _MOST_STEPS


def _counted(operator):
    status = operator.ask("status")
    assert status["unserved"] == {}
    return [(row["parts"], row["given"]) for row in status["pools"]] == [(NODES, NODES)] * 2
