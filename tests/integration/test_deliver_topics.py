"""The stream of all articles, for readers of some sections and tags."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from services.deliver.streams import Limits
from shared.runtime.engine import Engine
from tests.builders import killed, posted, published, writethru
from tests.integration.newsstand import Newsstand, Stream, open_newsstand

ROW, BRIDGE, FERRY = "rowing-final", "bridge-closed", "ferry-strike"


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url, Limits(heartbeat=0.1)) as stand:
        yield stand


async def heard(stream: Stream, last: str) -> list[tuple[str, int]]:
    """Return articles and versions that *stream* tells of, until *last* is among them."""
    found: list[tuple[str, int]] = []
    while not found or found[-1][0] != last:
        event = await stream.event()
        assert event is not None
        assert event.kind == "change"
        found.append((event.data["article"], event.data["to"]))
    return found


def opened(slug: str, section: str, *tags: str) -> dict[str, object]:
    return published(slug=slug, section=section, tags=list(tags))


async def test_readers_hear_of_the_sections_and_tags_that_they_name(stand):
    streams = {
        query: await stand.live(f"/live{query}")
        for query in (
            "",
            "?section=sport",
            "?tag=harbour",
            "?section=sport&section=transport",
            "?section=sport&tag=harbour",
        )
    }

    await stand.publish(
        opened(ROW, "sport", "harbour", "rowing"),
        opened(BRIDGE, "news", "harbour"),
        opened(FERRY, "transport"),
    )
    # A kill is for all, and the last here.
    await stand.publish(opened("end", "elsewhere"), killed("Over.", slug="end"))

    def without_the_end(found: list[tuple[str, int]]) -> list[str]:
        return [slug for slug, _ in found if slug != "end"]

    said = {query: without_the_end(await heard(stream, "end")) for query, stream in streams.items()}
    assert said == {
        "": [ROW, BRIDGE, FERRY],
        "?section=sport": [ROW],
        "?tag=harbour": [ROW, BRIDGE],
        "?section=sport&section=transport": [ROW, FERRY],
        "?section=sport&tag=harbour": [ROW],
    }


async def test_readers_of_a_section_are_told_that_an_article_has_left_it(stand):
    # given readers of the section that an article is in, of a tag it has, and of another section
    await stand.publish(opened(ROW, "sport", "rowing"))
    sport, rowing = await stand.live("/live?section=sport"), await stand.live("/live?tag=rowing")
    news = await stand.live("/live?section=news")

    # when it moves, and goes on there
    await stand.publish(writethru(slug=ROW, section="news", tags=None), posted("u1", slug=ROW))
    await stand.publish(killed("Over.", slug=ROW))

    # then those it has left are told of that, and of its kill, and of nothing between
    for stream in (sport, rowing):
        event = await stream.event()
        assert event is not None
        assert (event.data["to"], event.data["head"]["section"]) == (2, "news")
        assert "tags" not in event.data["head"]
        event = await stream.event()
        assert event is not None
        assert (event.data["to"], event.data["head"]["status"]) == (4, "killed")
    steps = [await news.event() for _ in range(3)]
    assert [event and event.data["to"] for event in steps] == [2, 3, 4]


async def test_who_comes_back_is_told_the_same_as_who_stayed(stand):
    stream = await stand.live("/live?section=sport")
    await stand.publish(opened("first", "sport"))
    first = await stream.event()
    assert first is not None
    await stand.publish(
        opened(BRIDGE, "news"), opened(ROW, "sport"), writethru(slug=ROW, section="news")
    )
    await stand.publish(posted("u1", slug=ROW), opened("last", "sport"))

    again = await stand.live("/live?section=sport", last=first.id)

    assert await heard(again, "last") == await heard(stream, "last")


async def test_a_reader_of_few_events_is_told_its_place_all_the_same(stand):
    # given a reader of a section in which nothing happens
    stream = await stand.live("/live?section=sport")
    await stand.publish(*(opened(f"story-{number}", "news") for number in range(3)))
    everything = await stand.live("/live")
    await stand.publish(opened("last", "news"))
    last = await everything.event()
    assert last is not None

    # then its heartbeats say where it is, so it need not hear of all that again
    async def its_place() -> str:
        lines = await stream.lines()
        return next((line[4:] for line in lines if line.startswith("id: ")), "")

    while await its_place() != last.id:
        pass


@pytest.mark.parametrize("query", ["section=", "tag=&tag=a", "section"])
async def test_a_section_or_tag_without_a_name_is_refused(stand, query):
    refused = await stand.live(f"/live?{query}")

    assert refused.status == 400
    assert "section and tag must have a name" in (await refused.body())["detail"]
