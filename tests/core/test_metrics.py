# SPDX-License-Identifier: Apache-2.0
"""What the agent counts, and where it serves it: without an agent."""

from __future__ import annotations

import logging

import pytest

from axoneme.agent.metrics import CATALOG, LogCounter, Measures
from axoneme.agent.metrics.measures import Durations
from axoneme.agent.reconcilers import Finding
from axoneme.config import AgentConfig


def values(measures, name):
    """The samples of a metric by labels."""
    (found,) = (samples for known, samples in measures.families() if known == name)
    return dict(found)


def test_names_are_what_promtool_wants():
    """Units in full at the end, and no counter says total twice."""
    for one in CATALOG.values():
        assert not one.name.endswith(("_total", "_ms", "_milliseconds"))
        assert one.help
        assert one.help[0].isupper()
        assert not one.help.endswith(".")


def test_a_duration_is_in_every_bucket_that_it_fits():
    """A bound is of the bucket that it ends, and what is longer than all is counted too."""
    durations = Durations()
    for seconds in (0.001, 0.3, 60.0):
        durations.observe(seconds)
    buckets = dict(durations.buckets())
    assert (buckets["0.001"], buckets["0.25"], buckets["0.5"], buckets["10.0"]) == (1, 1, 2, 2)
    assert buckets["+Inf"] == 3
    assert durations.total == pytest.approx(60.301)


def test_a_round_counts_what_was_found():
    """What could not be repaired makes it a failure, until the next."""
    measures = Measures()
    with measures.round() as found:
        found.append(Finding("routes", "one was missing"))
        found.append(Finding("maps", "the kernel refused", repaired=False))
    assert values(measures, "cilium_controllers_failing") == {(): 1}
    with measures.round():
        pass
    assert values(measures, "cilium_controllers_failing") == {(): 0}
    assert values(measures, "cilium_controllers_runs") == {("failure",): 1, ("success",): 1}
    assert values(measures, "axoneme_repairs") == {
        ("routes", "repaired"): 1,
        ("maps", "failed"): 1,
    }


def test_a_change_that_fails_is_no_success():
    """And its delay is nobody's."""
    measures = Measures()
    with pytest.raises(OSError, match="gone"), measures.policy_change():
        raise OSError("gone")
    with measures.policy_change():
        pass
    assert values(measures, "cilium_policy_change") == {
        ("fail", "embedded", "update"): 1,
        ("success", "embedded", "update"): 1,
    }
    (delay,) = values(measures, "cilium_policy_implementation_delay").values()
    assert dict(delay.buckets())["+Inf"] == 1


def test_the_log_is_counted_by_level_and_part():
    """However many modules a part has; what others log has one label."""
    measures = Measures()
    handler = LogCounter(measures)
    for name, level in (
        ("axoneme.agent.agent", logging.ERROR),
        ("axoneme.agent.cni", logging.ERROR),
        ("axoneme.host", logging.WARNING),
        ("asyncio", logging.ERROR),
    ):
        handler.handle(logging.LogRecord(name, level, "", 0, "", (), None))
    assert values(measures, "cilium_errors_warnings") == {
        ("error", "agent"): 2,
        ("warning", "host"): 1,
        ("error", "other"): 1,
    }


@pytest.mark.parametrize("address", ["", ":9962", "192.0.2.1:9962", "[::1]:9962"])
def test_an_address_to_serve_on_is_taken(address):
    """With a host of either family, or none."""
    assert AgentConfig(prometheus_serve_addr=address).prometheus_serve_addr == address


@pytest.mark.parametrize("address", ["9962", ":0", ":70000", "::1:9962", "host:9962", "[1]:1"])
def test_what_is_no_address_is_refused(address):
    """By a sentence with an example."""
    with pytest.raises(ValueError, match=r"must be such as ':9962'"):
        AgentConfig(prometheus_serve_addr=address)
