"""Two hundred events while processes are killed: the promises hold, every one of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chaos.harness import Attack, Newsroom, check, coverage, strand, under_fire, verify
from tests.stack import ENGINE, running

RENDER = "services.render"
ARTICLES, EVENTS = 20, 10
ATTACKS = [Attack(30, RENDER), Attack(70, ENGINE), Attack(110, RENDER)]


@pytest.mark.chaos
@pytest.mark.timeout(240)
def test_what_was_accepted_is_stored_once_in_order_and_served_whoever_is_killed(tmp_path):
    slugs = [f"story-{number}" for number in range(ARTICLES)]
    coverages = {slug: coverage(slug, EVENTS) for slug in slugs}
    *most, last = coverages.values()
    with running(tmp_path, "--workers", "2") as stack:
        newsroom = Newsroom(stack.ingest)

        with ThreadPoolExecutor(1) as side:
            filing = side.submit(newsroom.file, most)
            victims = list(under_fire(stack, newsroom, ATTACKS))
            filing.result()
        newsroom.file([last])
        strand(stack, newsroom, last, RENDER)

        assert len(set(victims)) == len(ATTACKS)
        assert newsroom.acknowledged() == len(newsroom.intents) > ARTICLES * EVENTS
        check(stack, newsroom, coverages)
        verified = verify(stack)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert verified.stdout == f"{ARTICLES} articles checked: all as the ledgers give them\n"
