"""One more update costs the same however many there are: the benchmark's counts, in short."""

from __future__ import annotations

import pytest

from benchmarks.one_more_update import growth, measure_at

#: Time depends on the machine, so only the benchmark looks at it.
COUNTED = ("commands", "bytes_in", "bytes_out", "bytes_logged")


@pytest.fixture
async def costs(redis):
    return {size: await measure_at(redis, size, lambda _: None) for size in (10, 1_000)}


async def test_one_more_update_costs_the_engine_the_same_at_a_thousand_as_at_ten(costs):
    # given what fifty updates cost an article of ten and one of a thousand
    # when they are compared
    grown = growth(costs)
    # then nothing that can be counted grows, but for the digits of larger numbers
    assert {name: grown[name] for name in COUNTED if grown[name] > 1.1} == {}
