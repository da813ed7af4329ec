"""What is made anew from a ledger is what append.lua keeps beside it."""

from __future__ import annotations

from random import Random

import pytest

from services.ingest.core.beside import beside
from tests.builders import SLUG, killed, posted, redacted
from tests.histories import Desk, some_acts
from tests.integration.newsroom import open_newsroom


@pytest.mark.parametrize("seed", range(5))
async def test_a_ledger_gives_all_that_append_remembers(redis, seed):
    # given an article with every act in it
    newsroom = await open_newsroom(redis)
    acts = list(Desk().history(some_acts(Random(seed), 60)))
    await newsroom.file(*(each for each in acts if each["type"] != "writethru.article.closed"))
    await newsroom.file(posted("last"), redacted("last"), *([killed()] if seed % 2 else []))
    keys = newsroom.keys()
    # when that is made anew from its ledger
    made = beside(SLUG, await redis.lrange(keys.ledger, 0, -1))
    # then it is the same
    article = await redis.hgetall(keys.article)
    posted_ = await redis.hgetall(keys.posted)
    seen = await redis.hgetall(keys.seen)
    assert article == {
        b"seq": str(made.seq).encode(),
        b"chain": made.chain.encode(),
        b"status": (made.status or "").encode(),
    }
    assert posted_ == {name.encode(): said.encode() for name, said in made.posted.items()}
    assert seen == {name.encode(): said.encode() for name, said in made.seen.items()}
