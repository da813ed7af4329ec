"""One more update costs the same however many there are: the benchmark's counts, in short."""

from __future__ import annotations

from benchmarks.one_more_update import BUDGET, beyond_budget, growth, measure_at


async def test_one_more_update_costs_the_engine_no_more_than_budgeted_and_a_thousandth_as_a_tenth(
    redis,
):
    # given what fifty updates cost an article of ten and one of a thousand
    costs = {size: await measure_at(redis, size, lambda _: None) for size in (10, 1_000)}
    # when they are compared with each other, and with what an update may cost
    grown = growth(costs)
    # then nothing that can be counted grows, but for the digits of larger numbers
    assert {name: grown[name] for name in BUDGET if grown[name] > 1.1} == {}
    # and no figure is beyond its budget: who adds a command has to defend it where that is set
    assert beyond_budget(costs) == {}
