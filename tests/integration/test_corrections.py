"""An article's corrections and key events: small lists beside it, and pages made of them."""

from __future__ import annotations

from typing import Any

import pytest

from services.render.store import Store
from services.render.verify import verify
from shared.article.editing import LISTED, corrections, key_events
from shared.runtime.marked import Marked
from shared.runtime.snapshots import Snapshots
from tests.builders import (
    SLUG,
    corrected,
    killed,
    pinned,
    posted,
    published,
    retracted,
    revised,
)
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.newsstand import Newsstand, open_newsstand

ARTICLE = f"/articles/{SLUG}"


@pytest.fixture
async def newsroom(redis):
    return await open_newsroom(redis)


@pytest.fixture
async def stand(engine, redis):
    async with open_newsstand(redis, engine.url) as stand:
        yield stand


async def rendered(newsroom: Newsroom, *events) -> Marked:
    await newsroom.file(*events)
    await Store(newsroom.redis, newsroom.lanes).render(SLUG)
    snapshots = Snapshots(newsroom.redis, newsroom.lanes)
    return Marked(newsroom.redis, newsroom.lanes, snapshots)


async def listed(newsroom: Newsroom) -> tuple[list[str], list[str]]:
    """Return the ids of the updates with notes and of the key events, as the engine lists them."""
    keys = newsroom.keys()
    noted: Any = await newsroom.redis.zrange(keys.noted, 0, -1)
    key: Any = await newsroom.redis.zrange(keys.key_events, 0, -1)
    return [each.decode() for each in noted], [each.decode() for each in key]


async def test_lists_follow_each_act_and_a_kill_takes_them_away(newsroom):
    # given updates of which two are key events
    posts = [posted("a", key_event=True), posted("b"), posted("c", key_event=True)]
    await rendered(newsroom, published(), *posts)
    assert await listed(newsroom) == ([], ["a", "c"])

    # when they are corrected, retracted, made key events and made none, then they are listed so
    await rendered(newsroom, corrected("b"), revised("c", key_event=False))
    assert await listed(newsroom) == (["b"], ["a"])
    await rendered(newsroom, revised("b", key_event=True), retracted("a"), corrected("b"))
    assert await listed(newsroom) == (["a", "b"], ["b"])
    verified = await verify(newsroom.redis, newsroom.lanes, newsroom.key, SLUG)
    assert verified.differences == []

    # and a kill leaves no list
    await rendered(newsroom, killed())
    assert await listed(newsroom) == ([], [])


async def test_a_rebuild_makes_the_lists_anew(newsroom):
    await rendered(newsroom, published(), posted("a", key_event=True), corrected("a"))
    keys = newsroom.keys()
    await newsroom.redis.zadd(keys.noted, {"stray": 9})
    await newsroom.redis.delete(keys.key_events)
    found = await verify(newsroom.redis, newsroom.lanes, newsroom.key, SLUG)
    assert found.differences == ["noted: stray should not be there", "key_events: a is missing"]

    await Store(newsroom.redis, newsroom.lanes).rebuild(SLUG)

    mended = await verify(newsroom.redis, newsroom.lanes, newsroom.key, SLUG)
    assert mended.differences == []


async def test_a_page_s_lists_come_from_few_updates_however_many_there_are(newsroom):
    # given a hundred updates, of which each fourth is a key event and each third was corrected
    ids = [f"u{n}" for n in range(100)]
    marked = await rendered(
        newsroom, published(),
        *(posted(each, key_event=n % 4 == 0) for n, each in enumerate(ids)),
        *(corrected(each, note=each) for each in ids[::3]), pinned("u7"),
    )  # fmt: skip
    article = await newsroom.replayed()

    # when the page's are read
    front = await marked.read_front(SLUG)
    assert front

    # then its lists are those of the whole article, and no more was read than that takes
    every = list(article.updates.values())
    assert key_events(article.head, front.updates) == key_events(article.head, every)
    assert corrections(front.updates)[: LISTED + 1] == corrections(every)[: LISTED + 1]
    assert article.updates["u7"] in front.updates
    assert len(front.updates) <= 2 * LISTED + 2
    noted = await marked.read_noted(SLUG)
    assert noted
    assert corrections(noted.updates) == corrections(every)


async def test_all_corrections_and_retractions_are_listed_the_newest_first(stand: Newsstand):
    # given an article with two corrections of one update, and a retraction
    await stand.publish(
        published(), posted("u1"), posted("u2", "A name."),
        corrected("u1", note="Once.", at="2026-03-01T11:00:00Z"),
        corrected("u1", note="Twice.", at="2026-03-01T10:00:00Z"),
        retracted("u2", "Not so.", at="2026-03-01T12:00:00Z"),
    )  # fmt: skip

    # when they are asked for as JSON
    answer = await stand.get(f"{ARTICLE}/corrections.json")

    # then all are there, by the order of the acts and not by their times
    document = answer.json()
    head = await stand.json()
    assert list(document) == ["article", "version", "chain", "corrections"]
    assert (document["version"], document["chain"]) == (6, head["chain"])
    update = f"http://127.0.0.1:8080{ARTICLE}/updates"
    assert document["corrections"] == [
        {"update_id": "u2", "kind": "retracted", "time": "2026-03-01T12:00:00Z",
         "note": "Not so.", "url": f"{update}/u2"},
        {"update_id": "u1", "kind": "corrected", "time": "2026-03-01T10:00:00Z",
         "note": "Twice.", "url": f"{update}/u1"},
        {"update_id": "u1", "kind": "corrected", "time": "2026-03-01T11:00:00Z",
         "note": "Once.", "url": f"{update}/u1"},
    ]  # fmt: skip

    # and as HTML, with a validator of its own each
    page = await stand.get(f"{ARTICLE}/corrections")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    places = [page.text.find(note) for note in ("Not so.", "Twice.", "Once.")]
    assert places == sorted(places)
    assert -1 not in places
    assert "A name." not in page.text
    assert page.headers["etag"] != answer.headers["etag"]
    again = await stand.get(f"{ARTICLE}/corrections.json", if_none_match=answer.headers["etag"])
    assert again.status_code == 304
    by_accept = await stand.get(f"{ARTICLE}/corrections", accept="application/json")
    assert by_accept.json() == document


async def test_an_article_without_corrections_says_so_and_one_that_is_not_there_is_unknown(stand):
    await stand.publish(published())

    assert (await stand.json(f"{ARTICLE}/corrections.json"))["corrections"] == []
    assert "Nothing" in (await stand.get(f"{ARTICLE}/corrections")).text
    for path in ("/articles/nowhere/corrections", "/articles/nowhere/corrections.json"):
        assert (await stand.get(path)).status_code == 404


async def test_a_page_that_is_open_is_told_the_parts_that_have_changed(stand: Newsstand):
    # given a page's stream and a program's, of one article
    await stand.publish(published(), posted("u1"))
    page = await stand.live(f"{ARTICLE}/live?form=html&since=2")
    program = await stand.live(f"{ARTICLE}/live?since=2")

    # when an update is corrected
    await stand.publish(corrected("u1", note="They were buses."))

    # then the one is told HTML, the list of corrections with it, and the other facts
    html, facts = await page.event(), await program.event()
    assert html
    assert facts
    assert (html.kind, html.id) == (facts.kind, facts.id)
    assert "They were buses." in html.data["parts"]["corrections"]
    assert "They were buses." in html.data["updates"][0]["html"]
    assert "parts" not in facts.data
    assert facts.data["changes"][0]["update"]["notes"][0]["note"] == "They were buses."
    asked = await stand.json(f"{ARTICLE}/changes?form=html&since=2")
    assert asked == html.data

    # and a kill with what stands in its place
    await stand.publish(killed("Legal advice."))
    last = await page.event()
    assert last
    assert last.kind == "killed"
    assert "Legal advice." in last.data["html"]
    assert await page.event() is None
    for path in ("changes?form=html&since=2", "live?form=html&since=2"):
        answer = await stand.get(f"{ARTICLE}/{path}")
        assert (answer.status_code, answer.json()) == (410, last.data)


async def test_there_are_two_forms_of_changes_and_no_others(stand: Newsstand):
    await stand.publish(published())

    for path in ("changes?form=xml", "live?form=xml"):
        answer = await stand.get(f"{ARTICLE}/{path}")
        assert answer.status_code == 400
        assert "form" in answer.text
