"""Sources on the rights of those users of the engine that have to do with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.contract.sources import Source
from shared.runtime.redis import connect
from tests.builders import SLUG, published
from tests.feeds import STORY, FeedServer, Wire
from tests.integration.guarded import Guarded, guarded_engine
from tests.integration.pulling import pulling
from tests.integration.test_updaters import answering


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    with guarded_engine(tmp_path) as engine:
        yield engine


async def test_sources_are_added_pulled_asked_and_removed_on_the_rights_of_users(guarded: Guarded):
    wire = Wire(STORY, lambda: 600, datetime.now(UTC))
    with (
        FeedServer(wire) as server,
        answering() as (_, robot),
    ):
        for user in ("ingest", "operator"):
            url = guarded.url(user)
            async with connect(url) as redis, pulling(redis, url) as desk:
                await desk.file(published())
                records = desk.sources.records
                feed = Source(name="wire", url=f"{server.url}/feed.atom")
                asked = Source(name="robot", kind="http", url=robot)
                # when
                for source in (feed, asked):
                    await records.add(SLUG, source, datetime.now(UTC), None)
                    assert (await desk.run(source)).failure is None
                await records.pause(SLUG, "wire", paused=True)
                await desk.sources.updaters.secret(SLUG, "robot", renew=True)
                await records.stands(SLUG)
                await records.due(SLUG, ["wire"])
                await records.remove(SLUG, "wire")
                await records.remove(SLUG, "robot")
        # then
        assert guarded.denied() == []
