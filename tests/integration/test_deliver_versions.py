"""Articles as they stood, at deliver: every format, by version and by time, and who may read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import orjson
import pytest
from redis.asyncio import Redis

from services.render.archiving import Archiver
from shared.article.dates import rfc3339
from shared.contract.access import Scope
from shared.runtime.api_keys import revoke
from shared.runtime.archive import Archive
from shared.runtime.engine import Engine
from shared.runtime.installation import Installation
from tests.builders import (
    SLUG,
    closed,
    corrected,
    killed,
    pinned,
    posted,
    published,
    retracted,
    revised,
    writethru,
)
from tests.integration.newsstand import Newsstand, a_key, open_newsstand

HISTORY = f"/articles/{SLUG}/versions"
ENDINGS = ("", ".html", ".txt", ".json", ".md", ".atom", ".feed.json", ".rss")


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    """A newsstand that shows its history to everybody."""
    async with open_newsstand(redis, engine.url, history="public") as stand:
        yield stand


@pytest.fixture
async def keyed(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url) as stand:
        yield stand


async def link_to(stand: Newsstand, path: str, key: dict[str, str], **more: Any) -> httpx2.Response:
    body = orjson.dumps({"path": path, **more})
    return await stand.http.post("/v1/links", content=body, headers=key)


async def test_every_version_is_what_readers_had_then_to_the_byte(stand):
    # given what was served at each version
    served = []
    for envelope in (
        published("One", "It opens."),
        posted("u1", "The first."),
        posted("u2", "The second.", headline="Two"),
        pinned("u2"),
        writethru(headline="Two", body="It is open."),
        closed(),
    ):
        await stand.publish(envelope)
        paths = (f"/articles/{SLUG}.txt", f"/articles/{SLUG}.json")
        served.append([(await stand.get(path)).content for path in paths])
    # when each is asked for now
    for number, (text, json) in enumerate(served, start=1):
        # then it is the same
        assert (await stand.get(f"{HISTORY}/{number}.txt")).content == text
        assert (await stand.get(f"{HISTORY}/{number}.json")).content == json


async def test_a_correction_since_leaves_what_was_said_and_a_revision_too(stand):
    await stand.publish(
        published(), posted("u1", "Ten cars."), corrected("u1", "Two cars.", "They were two."),
        revised("u1", text="Two cars!"),
    )  # fmt: skip

    assert "Ten cars." in (await stand.get(f"{HISTORY}/2.txt")).text
    assert "They were two." in (await stand.get(f"{HISTORY}/3.txt")).text
    assert "Two cars!" not in (await stand.get(f"{HISTORY}/3.txt")).text


async def test_what_was_retracted_since_is_masked_in_every_version_and_format(stand):
    await stand.publish(
        published(),
        posted("u1", "A minister resigned.", headline="Minister out", authors=["A. Minister"]),
        corrected("u1", "The minister resigns.", "Tense."),
        posted("u2", "The ferry sails."),
    )
    before = await stand.get(f"{HISTORY}/2.html")
    assert "minister" in before.text
    # when the update is retracted
    await stand.publish(retracted("u1", "It did not happen."))
    # then no version has a word of it
    for number in range(1, 6):
        for ending in ENDINGS:
            assert "inister" not in (await stand.get(f"{HISTORY}/{number}{ending}")).text
        for earlier in range(1, number):
            for ending in ("", ".json"):
                found = await stand.get(f"{HISTORY}/{earlier}..{number}{ending}")
                assert found.status_code == 200
                assert "inister" not in found.text
    # but the rest stands, and that something is missing is said
    (update, other) = (await stand.json(f"{HISTORY}/4.json"))["updates"]
    assert (update["text"], update["masked"], update["status"]) == ("[masked]", True, "live")
    assert (other["text"], "masked" in other) == ("The ferry sails.", False)
    page = await stand.get(f"{HISTORY}/4.html")
    assert "Taken back since then" in page.text
    assert (await stand.get(f"{HISTORY}/2.html")).headers["etag"] != before.headers["etag"]


async def test_a_killed_article_is_gone_in_all_of_its_versions(stand):
    await stand.publish(published("A minister resigns"), posted("u1", "The minister."))
    assert "minister" in (await stand.get(f"{HISTORY}/2.txt")).text

    await stand.publish(killed("Legal advice."))

    for name in ("1", "2", "3", "9", "1..2", "1..3", "no-version"):
        for ending in (*ENDINGS, ".pdf"):
            answer = await stand.get(f"{HISTORY}/{name}{ending}")
            assert answer.status_code == 410
            assert "Legal advice." in answer.text
            assert "inister" not in answer.text
    assert (await stand.get(f"{HISTORY}?at=2026-03-01T09:00:00Z")).status_code == 410


async def test_a_kill_that_is_filed_but_not_rendered_yet_holds_for_history(stand):
    await stand.publish(published("A minister resigns"))
    await stand.newsroom.file(killed("Legal advice."))

    answer = await stand.get(f"{HISTORY}/1.txt")

    assert answer.status_code == 410
    assert "Legal advice." in answer.text


async def test_a_retraction_that_is_filed_but_not_rendered_yet_holds_for_history(stand):
    await stand.publish(published(), posted("u1", "A minister resigned."))
    await stand.newsroom.file(retracted("u1"))

    assert "inister" not in (await stand.get(f"{HISTORY}/2.txt")).text


@pytest.mark.parametrize(
    "name", ["0", "4", "99999", "-1", "x", "1.5", "0..2", "1..4", "2..99", "1...2", "2.pdf",
             "1..2..3", "01"]
)  # fmt: skip
async def test_a_version_that_is_not_there_is_404_with_a_sentence(stand, name):
    await stand.publish(published(), posted("u1"), posted("u2"))

    answer = await stand.get(f"{HISTORY}/{name}", accept="application/json")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")


async def test_versions_in_the_wrong_order_are_told_the_right_one(stand):
    await stand.publish(published(), posted("u1"), posted("u2"))

    answer = await stand.get(f"{HISTORY}/3..1.json")

    assert answer.status_code == 400
    assert f"{HISTORY}/1..3" in answer.json()["detail"]


async def test_without_an_ending_the_format_is_that_of_accept(stand):
    await stand.publish(published())

    for accept, kind in (
        ("text/html", "text/html; charset=utf-8"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("application/json", "application/json"),
        ("*/*", "text/html; charset=utf-8"),
    ):
        answer = await stand.get(f"{HISTORY}/1", accept=accept)
        assert answer.headers["content-type"] == kind
        assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert (await stand.get(f"{HISTORY}/1", accept="image/png")).status_code == 406


async def test_a_time_names_the_version_that_the_engine_had_by_then(stand):
    # given the moments at which versions were recorded
    await stand.publish(published(), posted("u1"), posted("u2"))
    moments = []
    for number in (1, 2, 3):
        stamp = (await stand.get(f"{HISTORY}/{number}.json")).headers["memento-datetime"]
        assert stamp.endswith("GMT")
        records = await stand.newsroom.redis.lrange(stand.newsroom.keys().ledger, number - 1, -1)
        recorded = orjson.loads(records[0])["recorded"]
        moments.append(datetime.fromtimestamp(recorded / 1000, UTC))
    # when a moment is asked for, on either address
    for number, moment in enumerate(moments, start=1):
        if moment in moments[number:]:
            continue
        for path in (f"/articles/{SLUG}.json", f"{HISTORY}.json"):
            answer = await stand.http.get(path, params={"at": rfc3339(moment)})
            # then it is the version of that moment
            assert answer.json()["version"] == number
            assert answer.headers["content-location"] == f"{HISTORY}/{number}.json"
    later = rfc3339(moments[-1] + timedelta(days=1)).replace("Z", "+00:00")
    assert (await stand.json(f"{HISTORY}.json?at={later}"))["version"] == 3
    assert (await stand.json(f"{HISTORY}.json"))["version"] == 3
    before = await stand.get(f"/articles/{SLUG}?at=2020-01-01T00:00:00Z")
    assert before.status_code == 404
    for wrong in ("yesterday", "2026-03-01", "2026-03-01T09:00:00", ""):
        assert (await stand.get(f"{HISTORY}?at={wrong}")).status_code == 400


async def test_validators_name_the_version_and_all_that_was_filed_since(stand):
    await stand.publish(published(), posted("u1"))
    tags = [
        (await stand.get(f"{HISTORY}/{name}")).headers["etag"]
        for name in ("1.html", "1.txt", "1.json", "2.json", "1..2.json")
    ]
    assert len(set(tags)) == len(tags)
    assert not [tag for tag in tags if tag.startswith("W/")]
    answer = await stand.get(f"{HISTORY}/1.json", if_none_match=tags[2])
    assert answer.status_code == 304
    assert answer.headers["cache-control"] == "public, max-age=0, must-revalidate"

    await stand.publish(posted("u2"))

    assert (await stand.get(f"{HISTORY}/1.json")).headers["etag"] != tags[2]


async def test_a_page_of_a_version_says_which_it_is_and_leads_on(stand):
    await stand.publish(published(), posted("u1", "First."), posted("u2", "Second."), posted("u3"))

    page = (await stand.get(f"{HISTORY}/3")).text

    assert "version 3 of 4" in page
    assert 'name="robots" content="noindex"' in page
    assert "<script" not in page
    targets = set(re.findall(r'href="(/articles/[^"]*)"', page))
    for name in ("/2", "/4", "/2..3", "/3..4"):
        assert HISTORY + name in targets
    assert f"/articles/{SLUG}" in targets
    for target in targets:
        assert (await stand.get(target)).status_code in (200, 302), target


async def test_a_comparison_tells_what_was_added_and_removed_word_by_word(stand):
    await stand.publish(
        published("The bridge is open", "Cars cross it."),
        posted("u1", "Ten cars crossed."),
        posted("u2", "Rain fell."),
        posted("u9", "Nothing happened here."),
        corrected("u1", "Two cars crossed.", "They were two."),
        writethru(headline="The bridge is closed", body="Cars wait for it.", summary="A storm."),
        retracted("u2", "It did not."),
        posted("u3", "Wind came."),
        pinned("u3"),
    )

    found = await stand.json(f"{HISTORY}/4..9.json")

    assert (found["from"]["version"], found["to"]["version"], found["more"]) == (4, 9, 0)
    assert told(found["headline"]) == "The bridge is [-open-]{+closed+}"
    assert {name: told(line) for name, line in found["facts"].items()} == {
        "summary": "{+A storm.+}"
    }
    assert [told(line) for line in found["body"]] == ["Cars [-cross -]{+wait for +}it."]
    by_id = {each["update_id"]: each for each in found["updates"]}
    assert list(by_id) == ["u3", "u1", "u2"]
    assert by_id["u1"]["acts"] == ["corrected"]
    assert [told(line) for line in by_id["u1"]["text"]] == ["[-Ten -]{+Two +}cars crossed."]
    assert [note["note"] for note in by_id["u1"]["notes"]] == ["They were two."]
    assert (by_id["u2"]["acts"], "text" in by_id["u2"]) == (["retracted"], False)
    assert by_id["u3"]["acts"] == ["posted", "pinned"]

    page = (await stand.get(f"{HISTORY}/4..9")).text
    assert "The bridge is <del>open</del><ins>closed</ins>" in page
    assert "Nothing happened here." not in page
    assert 'name="robots" content="noindex"' in page
    assert "<script" not in page


def told(line: list[dict[str, str]]) -> str:
    marks = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    return "".join(marks[piece["kind"]].format(piece["text"]) for piece in line)


async def test_a_version_compared_with_itself_differs_in_nothing(stand):
    await stand.publish(published(), posted("u1"))

    found = await stand.json(f"{HISTORY}/2..2.json")

    assert (found["facts"], found["body"], found["updates"]) == ({}, [], [])
    assert "no difference" in (await stand.get(f"{HISTORY}/2..2")).text


async def test_history_takes_a_key_that_may_read_the_article(keyed):
    await keyed.publish(published())

    for path in (f"{HISTORY}/1", f"{HISTORY}/1.json", f"{HISTORY}/1..1", f"{HISTORY}?at=2026-03-01",
                 f"/articles/{SLUG}?at=2026-03-01T00:00:00Z"):  # fmt: skip
        assert (await keyed.get(path)).status_code == 401
        answer = await keyed.get(path, accept="application/json")
        assert answer.headers["www-authenticate"] == "Bearer"
    keys: list[tuple[tuple[Scope, ...], str, int]] = [
        (("read",), "*", 200),
        (("admin",), "*", 200),
        (("publish", "correct", "kill"), "*", 403),
        (("read",), "ferry-*", 403),
        (("read",), "harbour-*", 200),
    ]
    for scopes, articles, status in keys:
        key = await a_key(keyed, *scopes, articles=(articles,))
        assert (await keyed.get(f"{HISTORY}/1", **key)).status_code == status


async def test_what_a_key_opens_is_kept_by_nobody(keyed):
    await keyed.publish(published())

    answer = await keyed.get(f"{HISTORY}/1", **await a_key(keyed))

    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["vary"] == "Accept, Accept-Encoding, Authorization"
    assert answer.headers["x-robots-tag"] == "noindex"


async def test_a_killed_article_says_so_to_everybody(keyed):
    await keyed.publish(published(), killed())

    assert (await keyed.get(f"{HISTORY}/1")).status_code == 410


async def test_wrong_keys_are_counted_and_then_not_looked_at(keyed):
    await keyed.publish(published())
    key = await a_key(keyed)
    wrong = {"authorization": key["authorization"] + "x"}

    statuses = [(await keyed.get(f"{HISTORY}/1", **wrong)).status_code for _ in range(11)]

    assert statuses == [401] * 10 + [429]
    late = await keyed.get(f"{HISTORY}/1", **key)
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) > 0


async def test_history_that_is_off_is_not_there(redis, engine):
    async with open_newsstand(redis, engine.url, history="off") as stand:
        await stand.publish(published())
        key = await a_key(stand)
        for path in (
            f"{HISTORY}/1",
            f"{HISTORY}/1..1",
            f"/articles/{SLUG}?at=2026-03-01T09:00:00Z",
        ):
            assert (await stand.get(path, **key)).status_code == 404
        assert (await link_to(stand, f"{HISTORY}/1", key)).status_code == 404


async def test_where_everybody_may_publish_everybody_may_read(redis, engine):
    async with open_newsstand(redis, engine.url, no_auth=True) as stand:
        await stand.publish(published())
        assert (await stand.get(f"{HISTORY}/1")).status_code == 200
        link = (await link_to(stand, f"{HISTORY}/1", {})).json()
        assert link["expires"] is None


async def test_a_link_opens_the_history_of_one_article_for_a_browser(keyed):
    other = "ferry-strike"
    await keyed.publish(published(), posted("u1"), posted("u2"), published(slug=other))
    answer = await link_to(keyed, f"{HISTORY}/2", await a_key(keyed))
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    path, _, query = answer.json()["url"].removeprefix("http://127.0.0.1:8080").partition("?")
    assert path == f"{HISTORY}/2"
    # when it is followed without a key
    page = await keyed.get(f"{path}?{query}")
    # then it is that version, and the ways on from it are open
    assert page.status_code == 200
    ways = [
        way.replace("&amp;", "&") for way in re.findall(r'href="([^"]*versions/[^"]*)"', page.text)
    ]
    assert len(ways) == 4
    for way in ways:
        assert (await keyed.get(way)).status_code == 200, way
        for on in re.findall(r'href="([^"]*versions/[^"]*)"', (await keyed.get(way)).text):
            assert (await keyed.get(on.replace("&amp;", "&"))).status_code == 200
    # but nothing else is
    assert (await keyed.get(f"/articles/{other}/versions/1?{query}")).status_code == 401
    for wrong in (
        query.replace("signature=", "signature=x"),
        re.sub(r"expires=\d+", "expires=99999999999", query),
        re.sub("by=[0-9a-f]+", "by=00", query),
        re.sub("&signature=.*", "&signature=", query),
    ):
        assert (await keyed.get(f"{path}?{wrong}")).status_code == 401


async def test_a_link_ends_by_itself_and_with_its_key(keyed, monkeypatch):
    await keyed.publish(published())
    header = await a_key(keyed)
    url = (await link_to(keyed, f"{HISTORY}/1", header, seconds=60)).json()["url"]
    path = url.removeprefix("http://127.0.0.1:8080")
    assert (await keyed.get(path)).status_code == 200
    # when its time is over
    later = datetime.now(UTC) + timedelta(seconds=61)
    with monkeypatch.context() as patched:
        patched.setattr("services.deliver.passes.now", lambda: later)
        ended = await keyed.get(path)
    # then it opens nothing
    assert ended.status_code == 401
    assert "has ended" in ended.text
    # nor when its key is revoked
    assert (await keyed.get(path)).status_code == 200
    await revoke(keyed.newsroom.redis, header["authorization"].split("_")[1])
    assert (await keyed.get(path)).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"path": 7}', 400),
        (b'{"path": "/articles/harbour-bridge"}', 422),
        (b'{"path": "https://elsewhere.example/articles/a/versions/1"}', 422),
        (b'{"path": "/articles/harbour-bridge/versions/1", "seconds": 901}', 422),
        (b'{"path": "/articles/harbour-bridge/versions/1", "seconds": true}', 422),
        (b'{"path": "/articles/no-such-article/versions/1"}', 404),
        (b" " * 5_000, 413),
    ],
)
async def test_a_wish_for_a_link_that_cannot_be_met_is_told_why(keyed, body, status):
    await keyed.publish(published())

    answer = await keyed.http.post("/v1/links", content=body, headers=await a_key(keyed))

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_a_link_is_given_on_the_word_of_a_key_only(keyed):
    await keyed.publish(published())

    assert (await link_to(keyed, f"{HISTORY}/1", {})).status_code == 401
    assert (await link_to(keyed, f"{HISTORY}/1", await a_key(keyed, "publish"))).status_code == 403
    assert (await keyed.get("/v1/links")).status_code == 405


async def test_an_article_that_is_not_there_has_no_history(keyed):
    answer = await keyed.get(f"{HISTORY}/1.json", **await a_key(keyed))

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-article")


async def test_an_article_in_the_archive_has_its_history_still(redis, engine, tmp_path):
    async with open_newsstand(redis, engine.url, history="public", archive_dir=tmp_path) as stand:
        # given a closed article that has left the engine
        await stand.publish(published(), posted("u1", "The first."), posted("u2"), closed())
        before = (await stand.get(f"{HISTORY}/2.txt")).content
        here = Installation(stand.newsroom.lanes, stand.newsroom.key)
        archiver = Archiver(redis, here, Archive(tmp_path), after=0)
        await archiver.archive(SLUG)
        assert not await redis.exists(stand.newsroom.keys().ledger)
        # when a process that knows nothing of it is asked
        async with open_newsstand(redis, engine.url, history="public", archive_dir=tmp_path) as new:
            # then it answers as before
            assert (await new.get(f"{HISTORY}/2.txt")).content == before
            assert (await new.get(f"{HISTORY}/1..3.json")).status_code == 200
