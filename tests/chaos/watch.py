"""Looks, while everything is under fire, at what later traffic would hide.

A ledger must have as many events as are known (I1), whoever is behind must be known to be (I4), and
what is acknowledged must be covered (I5), at every moment. Afterwards, the last two look well
whatever was done.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.render.verify_lanes import uncovered
from shared.runtime.keys import LANES, Lane
from shared.runtime.lanes import Lanes
from shared.runtime.redis import connect
from tests.chaos.faults import spoiled
from tests.chaos.findings import Findings

LOOK_SECONDS = 0.25
ARTICLES = 200

#: In one step: between two reads, a commit may come.
_LOOK = """
local unwatched, uneven = {}, {}
for n, slug in ipairs(ARGV) do
    local article, ledger, seen = KEYS[3 * n - 1], KEYS[3 * n], KEYS[3 * n + 1]
    local facts = redis.call("HMGET", article, "seq", "version", "held")
    local seq = tonumber(facts[1] or "0")
    if tonumber(facts[2] or "0") < seq and not redis.call("ZSCORE", KEYS[1], slug) then
        table.insert(unwatched, slug)
    end
    if not facts[3]
        and (redis.call("LLEN", ledger) ~= seq or redis.call("HLEN", seen) ~= seq) then
        table.insert(uneven, slug)
    end
end
return { unwatched, uneven }
"""


async def watch(url: str, findings: Findings, slugs: Any, seed: int) -> None:
    """Look at one lane after another until cancelled; *slugs* says which articles there are."""
    chances = random.Random(f"{seed} watch")
    async with connect(url, retries=0) as redis:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(RedisError, OSError, AssertionError):
                await _look(redis, findings, sorted(slugs()), chances)


async def _look(redis: Redis, findings: Findings, slugs: list[str], chances: random.Random) -> None:
    tags: Any = await redis.lrange(LANES, 0, -1)
    lanes = [Lane(tag.decode()) for tag in tags]
    whole = [lane for lane in lanes if lane not in spoiled(lanes)]
    for slug, fault in await uncovered(redis, chances.choice(whole)):
        findings.add("I5", f"{slug}: {fault}")
    lane = chances.choice(lanes)
    its = [slug for slug in slugs if Lanes(tuple(each.tag for each in lanes)).of(slug) == lane]
    some = chances.sample(its, min(len(its), ARTICLES))
    articles = [lane.article(slug) for slug in some]
    keys = [lane.dirty, *(key for a in articles for key in (a.article, a.ledger, a.seen))]
    unwatched, uneven = await redis.eval(_LOOK, len(keys), *keys, *some)
    for slug in unwatched:
        findings.add("I4", f"{slug.decode()} is behind, and nobody would look")
    for slug in uneven:
        findings.add("I1", f"{slug.decode()} has not as many events as are known")
