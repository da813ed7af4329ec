"""Two renderers at one article, at the moments that are hardest to hit."""

from __future__ import annotations

from typing import Any

import pytest

from services.render import ledger
from services.render import store as store_module
from services.render.commit import Commit
from services.render.store import Store
from services.render.verify import verify
from tests.builders import SLUG, corrected, killed, posted, published
from tests.integration.newsroom import Newsroom, open_newsroom


@pytest.fixture
async def newsroom(redis: Any) -> Newsroom:
    return await open_newsroom(redis)


async def test_a_renderer_overtaken_while_it_reads_folds_nothing_twice(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a renderer that has looked at version 2 when another commits version 3
    slow = Store(newsroom.redis, newsroom.lanes)
    fast = Store(newsroom.redis, newsroom.lanes)
    await newsroom.file(published(), posted("u1", "One."))
    await slow.render(SLUG)
    await newsroom.file(corrected("u1", "Mended."))
    look = ledger.look

    async def overtaken(*place: Any) -> Any:
        monkeypatch.undo()
        seen = await look(*place)
        await fast.render(SLUG)
        return seen

    monkeypatch.setattr(store_module, "look", overtaken)

    # When it goes on, and would find the updates of version 3
    await slow.render(SLUG)

    # Then the correction is there once
    assert (await verify(newsroom.redis, newsroom.lanes, newsroom.key, SLUG)).differences == []


async def test_an_article_whose_kill_was_lost_in_a_failover_keeps_its_copy(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a killed article, and a replica that had not heard of the kill
    redis, store = newsroom.redis, Store(newsroom.redis, newsroom.lanes)
    await newsroom.file(published(), posted("u1", "One."))
    await store.render(SLUG)
    replica = {key: await redis.dump(key) for key in await redis.keys("*")}
    await newsroom.file(killed())
    await store.render(SLUG)
    commit = store._run_commit

    async def then_failover(*arguments: Any) -> Commit:
        result = await commit(*arguments)
        await redis.flushall()
        for key, value in replica.items():
            assert value is not None
            await redis.restore(key, 0, value)
        return result

    monkeypatch.setattr(store, "_run_commit", then_failover)

    # When a renderer that saw the kill goes on while the replica takes over
    await store.render(SLUG)

    # Then the article, live again, has its copy
    assert (await verify(redis, newsroom.lanes, newsroom.key, SLUG)).differences == []
