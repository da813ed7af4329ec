"""Where not everybody may read: keys, links and cookies open what they say, and nothing else."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator

import httpx2
import pytest
from redis.asyncio import Redis

from services.deliver.readers import COOKIE
from shared.runtime.api_keys import revoke
from shared.runtime.engine import Engine
from tests.builders import SLUG, killed, posted, published
from tests.integration.newsstand import Newsstand, a_key, open_newsstand, open_stream

FERRY = "ferry-strike"
ARTICLE = f"/articles/{SLUG}"
#: All that has a word of copy in it.
PATHS = [
    *("/", "/latest.json", "/latest.atom", "/latest.rss", "/latest.feed.json"),
    *("/sitemap-news.xml", "/live", ARTICLE, f"{ARTICLE}.json", f"{ARTICLE}.txt"),
    *(f"{ARTICLE}.atom", f"{ARTICLE}.ninjs.json", f"{ARTICLE}/pages/1", f"{ARTICLE}/updates/u1"),
    *(f"{ARTICLE}/corrections", f"{ARTICLE}/changes?since=0", f"{ARTICLE}/live", f"{ARTICLE}.md"),
    *(f"{ARTICLE}/versions/1", f"{ARTICLE}/live?since=0", f"{ARTICLE}.fragment.html"),
]


@pytest.fixture
async def keyed(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url, readers="keyed") as stand:
        await stand.publish(published(), posted("u1", "It opened."), published(slug=FERRY))
        yield stand


async def lent(stand: Newsstand, key: dict[str, str], path: str, **more: int) -> str:
    answer = await stand.http.post("/v1/links", json={"path": path, **more}, headers=key)
    assert answer.status_code == 201, answer.text
    return path + str(answer.json()["url"]).partition(path)[2]


async def test_nothing_is_told_to_who_has_no_key(keyed: Newsstand) -> None:
    for path in PATHS:
        for cookie in ("", f"{COOKIE}=by=a", f"{COOKIE}=expires=9999999999&by=ab&signature=x"):
            answer = await keyed.get(path, cookie=cookie)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "Harbour" not in answer.text, path
            assert "no-store" in answer.headers["cache-control"], path
    wrong = await keyed.get(ARTICLE, authorization="Bearer wt_abc_def")
    assert wrong.status_code == 401
    for path in ("/healthz", "/readyz", "/robots.txt"):
        assert (await keyed.get(path)).status_code == 200, path
    # and robots are not sent to what they would be refused
    assert (await keyed.get("/robots.txt")).text == "User-agent: *\nDisallow: /\n"


async def test_a_key_opens_what_it_is_for_and_nothing_may_be_kept_for_others(
    keyed: Newsstand,
) -> None:
    reader = await a_key(keyed, "read")
    local = await a_key(keyed, "read", articles=("harbour-*",))
    publisher = await a_key(keyed, "publish")

    for path in PATHS[7:8] + PATHS[:6]:
        answer = await keyed.http.get(path, headers=reader)
        assert answer.status_code == 200, path
        assert answer.headers["cache-control"].startswith("private"), path
        assert not {"cdn-cache-control", "surrogate-key", "cache-tag"} & answer.headers.keys()
        assert "Authorization" in answer.headers["vary"]
        etag = answer.headers["etag"]
        again = await keyed.http.get(path, headers=reader | {"if-none-match": etag})
        assert (again.status_code, again.headers["cache-control"][:7]) == (304, "private")
    for _ in range(60):  # so often that it would be remembered if it were for everybody
        assert (await keyed.http.get(f"{ARTICLE}.txt", headers=reader)).status_code == 200
    assert (await keyed.get(f"{ARTICLE}.txt")).status_code == 401
    assert (await keyed.http.get(ARTICLE, headers=local)).status_code == 200
    assert (await keyed.http.get(f"/articles/{FERRY}", headers=local)).status_code == 403
    assert (await keyed.http.get("/latest.json", headers=local)).status_code == 403
    assert (await keyed.http.get("/live", headers=local)).status_code == 403
    assert (await keyed.http.get(ARTICLE, headers=publisher)).status_code == 403


async def test_a_browser_comes_by_a_link_and_its_cookie_opens_the_pages_own_stream(
    keyed: Newsstand,
) -> None:
    # Given a link that a key asked for
    link = await lent(keyed, await a_key(keyed, "read"), ARTICLE, seconds=60)
    assert (await keyed.get(ARTICLE)).status_code == 401

    # When a browser follows it
    page = await keyed.get(link)

    # Then it has the page, and a cookie for what is below it
    assert page.status_code == 200
    [cookie] = page.headers.get_list("set-cookie")
    for part in ("HttpOnly", "SameSite=Lax", f"Path={ARTICLE};", "Max-Age="):
        assert part in cookie
    brought = {"cookie": cookie.partition(";")[0]}
    keyed.http.cookies.clear()
    live = await open_stream(keyed.port, f"{ARTICLE}/live?since=0", cookie=brought["cookie"])
    event = await live.event()
    assert (live.status, event and event.kind) == (200, "change")
    live.close()
    assert (await keyed.http.get(f"{ARTICLE}/changes", headers=brought)).status_code == 200

    # And neither opens anything else, nor history
    for path in ("/", f"/articles/{FERRY}", "/live", f"{ARTICLE}/versions/1"):
        assert (await keyed.http.get(path, headers=brought)).status_code == 401, path
    other = link.replace(ARTICLE, f"/articles/{FERRY}")
    assert (await keyed.get(other)).status_code == 401
    assert (await keyed.get(link.replace(ARTICLE, f"{ARTICLE}/versions/1"))).status_code == 401


async def test_a_link_to_all_opens_lists_and_articles_and_ends_with_its_key(
    keyed: Newsstand, redis: Redis
) -> None:
    key = await a_key(keyed, "read")
    link = await lent(keyed, key, "/")
    query = link.partition("?")[2]

    for path in ("/", "/latest.atom", ARTICLE, f"/articles/{FERRY}.json"):
        assert (await keyed.get(f"{path}?{query}")).status_code == 200, path
    keyed.http.cookies.clear()

    await revoke(redis, key["authorization"].split("_")[1])
    assert (await keyed.get(f"{ARTICLE}?{query}")).status_code == 401


async def test_a_link_needs_a_key_that_may_read_what_it_leads_to(keyed: Newsstand) -> None:
    local = await a_key(keyed, "read", articles=("harbour-*",))

    async def asked(path: str, key: dict[str, str], **more: object) -> httpx2.Response:
        return await keyed.http.post("/v1/links", json={"path": path, **more}, headers=key)

    assert (await asked(ARTICLE, {})).status_code == 401
    assert (await asked(f"/articles/{FERRY}", local)).status_code == 403
    assert (await asked("/", local)).status_code == 403
    assert (await asked("/live", local)).status_code == 422
    assert (await asked(ARTICLE, local, seconds=8 * 86_400)).status_code == 422
    assert (await asked(ARTICLE, local, seconds=7 * 86_400)).status_code == 201


async def test_where_everybody_reads_a_page_takes_no_link(redis: Redis, engine: Engine) -> None:
    async with open_newsstand(redis, engine.url) as stand:
        await stand.publish(published())
        answer = await stand.http.post("/v1/links", json={"path": ARTICLE})
        assert answer.status_code == 422
        assert f"Everybody may read {ARTICLE}" in answer.text


async def test_pages_of_named_origins_may_read_and_others_may_not(
    redis: Redis, engine: Engine
) -> None:
    ours, other = "https://www.example.org", "https://elsewhere.example"
    async with open_newsstand(redis, engine.url, cors_origins=(ours,)) as stand:
        await stand.publish(published())
        for path in (ARTICLE, f"{ARTICLE}.json", "/latest.json", "/nothing"):
            to_ours = (await stand.get(path, origin=ours)).headers
            to_other = (await stand.get(path, origin=other)).headers
            to_none = (await stand.get(path)).headers
            assert to_ours["access-control-allow-origin"] == ours
            assert "ETag" in to_ours["access-control-expose-headers"]
            assert "access-control-allow-credentials" not in to_ours
            for headers in (to_other, to_none):
                assert "access-control-allow-origin" not in headers
            assert all("Origin" in each["vary"] for each in (to_ours, to_other, to_none)), path
        asked = {"origin": ours, "access-control-request-method": "GET"}
        preflight = await stand.http.options(ARTICLE, headers=asked)
        assert preflight.headers["access-control-allow-origin"] == ours
        assert "Last-Event-ID" in preflight.headers["access-control-allow-headers"]
        assert "GET" in preflight.headers["access-control-allow-methods"]
        asked["origin"] = other
        refused = await stand.http.options(ARTICLE, headers=asked)
        assert "access-control-allow-methods" not in refused.headers


async def test_any_page_may_read_where_no_origins_are_named(redis: Redis, engine: Engine) -> None:
    async with open_newsstand(redis, engine.url) as stand:
        await stand.publish(published())
        headers = (await stand.get(ARTICLE, origin="https://anywhere.example")).headers
        assert headers["access-control-allow-origin"] == "*"
        assert "Origin" not in headers["vary"]


async def test_the_command_line_reads_with_a_key(keyed: Newsstand) -> None:
    key = (await a_key(keyed, "read"))["authorization"].removeprefix("Bearer ")
    url = f"http://127.0.0.1:{keyed.port}"

    async def ran(*words: str) -> tuple[int | None, str]:
        command = [sys.executable, "-m", "services.cli", *words, "--from", url]
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    for words in (("page", SLUG), ("watch", SLUG), ("watch",)):
        status, said = await ran(*words)
        assert (status, said.count("\n")) == (1, 1)
        assert "name it with --key" in said
    assert (await ran("page", SLUG, "--key", key))[0] == 0
    await keyed.publish(killed(slug=SLUG))
    status, said = await ran("watch", SLUG, "--key", key)
    assert (status, "killed" in said) == (0, True)
