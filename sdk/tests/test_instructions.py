# SPDX-License-Identifier: Apache-2.0
"""What instructions say: frames, calls and helpers."""

from __future__ import annotations

from axoneme_sdk.instructions import helpers_of, stack_of

LOOKUP, PROCESSOR = 1, 8  # the kernel's numbers of these helpers


def test_calls_are_found_by_name(rich):
    """Across sections and relocations."""
    assert rich.functions["stage_policy"].calls == {"mine_stage_policy"}
    assert rich.functions["mine_stage_policy"].calls == frozenset()


def test_helpers_count_through_calls(rich):
    """A stage answers for all that it calls."""
    assert rich.functions["stage_policy"].helpers == {LOOKUP}
    assert rich.functions["mine_stage_policy"].helpers == {PROCESSOR}
    assert helpers_of(rich.functions, "stage_policy") == {LOOKUP, PROCESSOR}


def test_stack_counts_through_calls_in_the_verifiers_units(rich):
    """The key of 32 bytes and the copy beside it, and the scratch of the callee."""
    own = rich.functions["stage_policy"].charged
    inner = rich.functions["mine_stage_policy"].charged
    assert inner == 64
    assert own % 32 == 0
    assert stack_of(rich.functions, "stage_policy") == own + inner


def test_a_function_without_a_frame_is_charged_for_one(declared):
    """As the kernel does."""
    text = "#include <axoneme/plugin.h>\nAXN_STAGE(policy) { return AXN_NEXT; }"
    assert declared(text).stages[0].stack == 32


def test_a_key_that_was_copied_to_the_stack_is_no_key_in_the_packet(rich):
    """Nor is one that an accessor copied."""
    assert not any(function.packet_as_key for function in rich.functions.values())
