"""How many bytes a page is to who loads it first, with all that it needs but pictures."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx2
import orjson
import pytest
from redis.asyncio import Redis

from shared.runtime.engine import Engine
from tests.golden.pages import COVERAGE
from tests.integration.newsstand import Newsstand, open_newsstand

#: Of a page of 500 words and more, with a dozen updates.
MOST = 30_000
_NEEDED = re.compile(r'(?:src|href)="(/static/[^"]+)"')


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url) as stand:
        yield stand


async def _weight(http: httpx2.AsyncClient, path: str, coding: str) -> tuple[int, str]:
    """Return what an answer has on the wire, its head too, and its text."""
    async with http.stream("GET", path, headers={"accept-encoding": coding}) as answer:
        assert answer.status_code == 200
        raw = [part async for part in answer.aiter_raw()]
        head = sum(len(name) + len(value) + 4 for name, value in answer.headers.raw)
    text = await http.get(path)
    return head + sum(map(len, raw)), text.text


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_a_page_of_a_day_s_coverage_is_light_to_who_loads_it_first(
    stand: Newsstand, coding: str
) -> None:
    events = [orjson.loads(line) for line in COVERAGE.read_bytes().splitlines()]
    await stand.publish(*events)

    weight, page = await _weight(stand.http, f"/articles/{events[0]['subject']}", coding)
    needed = sorted(set(_NEEDED.findall(page)))
    for each in needed:
        weight += (await _weight(stand.http, each, coding))[0]

    assert len(needed) == 3  # style, script, icon
    assert weight < MOST
