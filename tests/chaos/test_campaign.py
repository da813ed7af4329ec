"""A short campaign: real processes are killed, frozen and robbed while events flow."""

from __future__ import annotations

import pytest

from tests.chaos import campaign
from tests.chaos.campaign import Campaign
from tests.chaos.desk import Load
from tests.chaos.plan import WEIGHTS, by_count

FAULTS, ENGINE_KILLS, EVENTS = 24, 3, 600


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_what_was_accepted_is_stored_once_in_order_and_told_whatever_goes_wrong(tmp_path):
    outcome = campaign.run(
        Campaign(
            seed=11,
            faults=by_count(11, FAULTS, ENGINE_KILLS),
            events=EVENTS,
            load=Load(desks=4, rate=40.0),
            followers=4,
            hoses=1,
            fail=3.0,
        ),
        tmp_path,
    )

    assert not outcome.findings, outcome.findings.broken
    assert outcome.faults["kill engine"] == ENGINE_KILLS
    # One that is done to the engine is left out where the engine is just not there.
    assert outcome.faults.total() >= FAULTS - len(WEIGHTS)
    assert outcome.restarts >= ENGINE_KILLS
    assert outcome.acked >= EVENTS
    assert outcome.ledgers > 0
    assert outcome.readers["change"] > 0
