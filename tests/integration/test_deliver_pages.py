"""Articles as their readers get them, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from services.deliver.core.codings import LEAST_BYTES
from services.deliver.guard import MAX_PATH_BYTES, MAX_QUERY_BYTES
from shared.article.formats import json, text
from shared.article.formats.dressing import ASSETS
from shared.runtime.engine import Engine
from tests.builders import (
    SLUG,
    closed,
    corrected,
    event,
    killed,
    pinned,
    posted,
    published,
    retracted,
    revised,
    writethru,
)
from tests.integration.newsstand import Newsstand, a_key, open_newsstand

ARTICLE = f"/articles/{SLUG}"
FORMS = ("html", "json", "txt", "md", "atom", "feed.json", "rss")
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url) as stand:
        yield stand


async def post_many(stand: Newsstand, count: int) -> None:
    """File *count* updates and render once."""
    await stand.newsroom.file(*(posted(f"u{number}") for number in range(1, count + 1)))
    await stand.store.render(SLUG)


async def test_text_and_json_are_the_whole_article(stand):
    # given an article of three pages of updates, with something of everything
    await stand.publish(published(body="# Now\n\nIt is *open*."), pinned_later := posted("first"))
    await post_many(stand, 120)
    await stand.publish(corrected("u3"), retracted("u7"), pinned(pinned_later["data"]["update_id"]))
    article = await stand.newsroom.replayed()

    as_text, as_json = await stand.get(f"{ARTICLE}.txt"), await stand.get(f"{ARTICLE}.json")

    assert as_text.text == text.page(article)
    assert as_text.headers["content-type"] == "text/plain; charset=utf-8"
    assert as_json.content == json.dumps(json.article(article))
    assert as_json.headers["content-type"] == "application/json"


async def test_html_shows_the_newest_fifty_and_what_is_pinned(stand):
    await stand.publish(published())
    await post_many(stand, 120)
    await stand.publish(pinned("u5"))

    page = (await stand.get(ARTICLE)).text

    shown = [f"u{number}" for number in range(1, 121) if f'id="u-u{number}"' in page]
    assert shown == ["u5", *(f"u{number}" for number in range(71, 121))]


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        (ARTICLE, BROWSER, "text/html; charset=utf-8"),
        (ARTICLE, "*/*", "text/html; charset=utf-8"),
        (ARTICLE, "application/json", "application/json"),
        (ARTICLE, "text/plain", "text/plain; charset=utf-8"),
        (f"{ARTICLE}.html", "application/json", "text/html; charset=utf-8"),
        (f"{ARTICLE}.json", BROWSER, "application/json"),
        (ARTICLE, "text/markdown", "text/markdown; charset=utf-8"),
        (ARTICLE, "application/atom+xml", "application/atom+xml; charset=utf-8"),
        (ARTICLE, "application/feed+json, */*;q=0.1", "application/feed+json"),
        (ARTICLE, "application/rss+xml", "application/rss+xml; charset=utf-8"),
        (f"{ARTICLE}.md", BROWSER, "text/markdown; charset=utf-8"),
        (f"{ARTICLE}.atom", BROWSER, "application/atom+xml; charset=utf-8"),
        (f"{ARTICLE}.feed.json", BROWSER, "application/feed+json"),
        (f"{ARTICLE}.rss", BROWSER, "application/rss+xml; charset=utf-8"),
        ("/", "application/rss+xml", "application/rss+xml; charset=utf-8"),
        ("/latest.atom", BROWSER, "application/atom+xml; charset=utf-8"),
        ("/latest.feed.json", BROWSER, "application/feed+json"),
        ("/latest.rss", BROWSER, "application/rss+xml; charset=utf-8"),
        ("/", "*/*", "text/html; charset=utf-8"),
        ("/", "application/json", "application/json"),
        ("/latest.json", BROWSER, "application/json"),
    ],
)
async def test_the_ending_decides_and_else_accept(stand, path, accept, kind):
    await stand.publish(published())

    answer = await stand.get(path, accept=accept)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    negotiated = path in (ARTICLE, "/")
    assert answer.headers["vary"] == (
        "Accept, Accept-Encoding" if negotiated else "Accept-Encoding"
    )


async def test_what_accept_excludes_altogether_is_not_acceptable(stand):
    await stand.publish(published())

    answer = await stand.get(ARTICLE, accept="image/png")

    assert answer.status_code == 406
    assert "application/json" in answer.text


@pytest.mark.parametrize("rest", ["", *(f".{form}" for form in FORMS), "/pages/1"])
async def test_who_has_it_already_is_told_so_until_it_changes(stand, rest):
    # given a reader who has a representation
    path = ARTICLE + rest
    await stand.publish(published(), posted("u1"))
    first = await stand.get(path)
    etag = first.headers["etag"]

    # when it comes back
    again = await stand.get(path, if_none_match=f'"other", W/{etag}')

    # then it gets no bytes, but all that a cache needs
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary"):
        assert again.headers.get(name) == first.headers.get(name)
    assert first.headers["cache-control"] == "public, max-age=0, must-revalidate"

    # and after a silent edit, new ones
    await stand.publish(revised("u1", text="The first cars crossed it."))
    changed = await stand.get(path, if_none_match=etag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


async def test_formats_have_etags_of_their_own(stand):
    await stand.publish(published())

    answers = [await stand.get(f"{ARTICLE}.{ending}") for ending in FORMS]

    tags = [answer.headers["etag"] for answer in answers]
    assert len(set(tags)) == len(FORMS)
    assert all(tag.startswith('"1.') for tag in tags)


async def test_an_html_page_changes_with_the_latest_news_on_it(stand):
    # given a page that lists another article
    await stand.publish(published(), published("Ferries strike", slug="ferry-strike"))
    before = await stand.get(ARTICLE)
    assert "Ferries strike" in before.text
    whole = await stand.get(f"{ARTICLE}.json")

    # when that one gets another headline
    await stand.publish(writethru(headline="Ferries sail", slug="ferry-strike"))

    # then the page is another, though its article is not
    async def listed() -> Any:
        after = await stand.get(ARTICLE, if_none_match=before.headers["etag"])
        return "Ferries sail" in after.text

    await stand.until(listed)
    assert (await stand.get(f"{ARTICLE}.json")).headers["etag"] == whole.headers["etag"]


async def test_head_answers_as_get_without_the_bytes(stand):
    await stand.publish(published(), posted("u1"))
    of_article = [
        ARTICLE + rest for rest in (*(f".{form}" for form in FORMS), "/pages/1", "/updates/u1")
    ]
    lists = [f"/latest.{form}" for form in ("json", "atom", "feed.json", "rss")]
    others = [*lists, "/sitemap-news.xml", "/healthz", "/readyz", "/robots.txt", "/nowhere"]
    static = f"/static/{next(iter(ASSETS))}"
    for path in ("/", ARTICLE, *of_article, f"{ARTICLE}/changes?since=1", *others, static):
        got, asked = await stand.get(path), await stand.http.head(path)

        assert asked.status_code == got.status_code, path
        assert asked.content == b""
        for name in ("content-type", "content-length", "etag", "location", "cache-control"):
            assert asked.headers.get(name) == got.headers.get(name), (path, name)


async def test_head_of_a_stream_ends_at_once(stand):
    await stand.publish(published())

    for path in (f"{ARTICLE}/live", "/live"):
        answer = await stand.http.head(path)

        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_readers_can_only_read(stand, method):
    for path in ("/", f"{ARTICLE}.json", f"{ARTICLE}/changes", f"{ARTICLE}/live", "/live"):
        answer = await stand.http.request(method, path)

        assert answer.status_code == 405, path
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_another_origin_may_ask_before_it_reads(stand):
    answer = await stand.http.request("OPTIONS", f"{ARTICLE}/live")

    assert answer.status_code == 204
    assert "Last-Event-ID" in answer.headers["access-control-allow-headers"]


HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"
PROBLEM = "application/problem+json"
NOT_THERE = [
    ("/nowhere", BROWSER, HTML),
    ("/nowhere", "application/json", PROBLEM),
    ("/articles/none", BROWSER, HTML),
    ("/articles/none", "application/json", PROBLEM),
    ("/articles/none.json", BROWSER, PROBLEM),
    ("/articles/none.txt", BROWSER, TEXT),
    ("/articles/none/changes", BROWSER, PROBLEM),
    ("/articles/none/live", "text/event-stream", PROBLEM),
    ("/articles/none/pages/1", BROWSER, HTML),
    ("/articles/none/updates/u1", BROWSER, HTML),
    (f"{ARTICLE}.docx", BROWSER, HTML),
    (f"{ARTICLE}/pages/3", BROWSER, HTML),
    (f"{ARTICLE}/pages/0", BROWSER, HTML),
    (f"{ARTICLE}/pages/x", BROWSER, HTML),
    (f"{ARTICLE}/pages/99999999999999999999", BROWSER, HTML),
    (f"{ARTICLE}/updates/none", "application/json", PROBLEM),
    (f"{ARTICLE}/updates/:body@1", "application/json", PROBLEM),
    ("/?page=2", BROWSER, HTML),
    ("/latest.json?page=2", BROWSER, PROBLEM),
    ("/latest.atom?page=2", BROWSER, TEXT),
    ("/latest.feed.json?page=2", BROWSER, PROBLEM),
    ("/latest.csv", BROWSER, HTML),
    ("/articles/none.md", BROWSER, TEXT),
    ("/articles/none.atom", BROWSER, TEXT),
    ("/articles/none.feed.json", BROWSER, PROBLEM),
    (f"{ARTICLE}.other.json", BROWSER, PROBLEM),
    ("/static/page.css", BROWSER, HTML),
    (f"{ARTICLE}/", BROWSER, HTML),
]


async def test_what_is_not_there_is_said_in_the_readers_format(stand):
    await stand.publish(published(), posted("u1"))
    for path, accept, kind in NOT_THERE:
        answer = await stand.get(path, accept=accept)

        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == kind, path
        assert "etag" not in answer.headers
        if kind == PROBLEM:
            assert answer.json()["status"] == 404
            assert answer.json()["detail"]


@pytest.mark.parametrize("rest", ["", ".json", "/live", "/changes", "/pages/1", "/updates/u1"])
async def test_what_can_not_be_a_slug_is_no_article(stand, rest):
    for slug in (
        "Harbour-Bridge", "-a", "a-", "a--b", "a_b", "a:b", "{wt:1}", "a%20b", "a%0a", "a" * 129,
        "%c3%a4", "%2e%2e", "a%00",
    ):  # fmt: skip
        answer = await stand.get(f"/articles/{slug}{rest}")

        assert answer.status_code == 404, slug


async def test_a_request_that_makes_no_sense_is_told_what_would(stand):
    await stand.publish(published())
    for path, named in (
        (f"{ARTICLE}/changes?since=x", "since"),
        (f"{ARTICLE}/changes?since=", "since"),
        (f"{ARTICLE}/changes?since=-1", "since"),
        (f"{ARTICLE}/changes?since=1.zzz", "since"),
        (f"{ARTICLE}/changes?since=1&wait=soon", "wait"),
        (f"{ARTICLE}/live?since=x", "since"),
        ("/?page=0", "page"),
        ("/latest.json?page=-1", "page"),
    ):
        answer = await stand.get(path, accept="application/json")

        assert answer.status_code == 400, path
        assert answer.headers["content-type"] == PROBLEM
        assert named in answer.json()["detail"]


async def test_too_long_a_path_or_query_is_refused(stand):
    path = await stand.get("/articles/" + "a" * MAX_PATH_BYTES)
    query = await stand.get("/?page=1&" + "a" * MAX_QUERY_BYTES)

    assert (path.status_code, query.status_code) == (414, 414)


async def test_full_pages_never_shift(stand):
    await stand.publish(published())
    await post_many(stand, 60)
    first = (await stand.get(f"{ARTICLE}/pages/1")).text

    await stand.publish(posted("one-more"))

    for number in range(1, 51):
        assert f'id="u-u{number}"' in first
    assert 'id="u-u51"' not in first
    second = (await stand.get(f"{ARTICLE}/pages/2")).text
    assert 'id="u-u51"' in second
    assert 'id="u-one-more"' in second
    assert 'id="u-u50"' not in second


@pytest.mark.parametrize("order", ["oldest-first", "newest-first"])
async def test_a_permalink_leads_to_where_the_update_is(stand, order):
    await stand.publish(published(update_order=order))
    await post_many(stand, 120)

    found = {}
    for update_id in ("u1", "u50", "u51", "u70", "u71", "u120"):
        answer = await stand.get(f"{ARTICLE}/updates/{update_id}")
        assert answer.status_code == 302
        found[update_id] = answer.headers["location"]

    assert found == {
        "u1": f"{ARTICLE}/pages/1#u-u1",
        "u50": f"{ARTICLE}/pages/1#u-u50",
        "u51": f"{ARTICLE}/pages/2#u-u51",
        "u70": f"{ARTICLE}/pages/2#u-u70",
        "u71": f"{ARTICLE}#u-u71",
        "u120": f"{ARTICLE}#u-u120",
    }
    for update_id, location in found.items():
        page = await stand.get(location)
        assert f'id="u-{update_id}"' in page.text


@pytest.mark.parametrize(
    ("count", "pages"),
    [(50, {"u1": "", "u50": ""}), (51, {"u1": "/pages/1", "u2": "", "u51": ""}),
     (100, {"u50": "/pages/1", "u51": ""}),
     (101, {"u50": "/pages/1", "u51": "/pages/2", "u52": "", "u101": ""})],
)  # fmt: skip
async def test_a_permalink_keeps_leading_to_its_update_as_pages_fill(stand, count, pages):
    await stand.publish(published())
    await post_many(stand, count)

    for update_id, page in pages.items():
        answer = await stand.get(f"{ARTICLE}/updates/{update_id}")
        assert answer.headers["location"] == f"{ARTICLE}{page}#u-{update_id}"
        shown = (await stand.get(answer.headers["location"])).text
        assert shown.count(f'id="u-{update_id}"') == 1


async def test_a_permalink_of_a_pinned_update_leads_to_its_own_place(stand):
    await stand.publish(published())
    await post_many(stand, 60)
    await stand.publish(pinned("u3"))

    answer = await stand.get(f"{ARTICLE}/updates/u3")

    assert answer.headers["location"] == f"{ARTICLE}/pages/1#u-u3"
    assert 'id="u-u3"' in (await stand.get(ARTICLE)).text


async def test_a_killed_article_is_gone_from_every_path_and_format(stand):
    # given an article that was read in every way, so that everything is cached
    await stand.publish(published("Bridge falls"), posted("u1"))
    paths = {
        ARTICLE: "text/html; charset=utf-8",
        f"{ARTICLE}.html": "text/html; charset=utf-8",
        f"{ARTICLE}.txt": "text/plain; charset=utf-8",
        f"{ARTICLE}.json": "application/json",
        f"{ARTICLE}/pages/1": "text/html; charset=utf-8",
        f"{ARTICLE}/pages/7": "text/html; charset=utf-8",
        f"{ARTICLE}/updates/u1": "text/html; charset=utf-8",
        f"{ARTICLE}/updates/none": "text/html; charset=utf-8",
        f"{ARTICLE}/changes?since=1": "application/json",
        f"{ARTICLE}/changes?since=3": "application/json",
        f"{ARTICLE}/changes?since=none": "application/json",
        f"{ARTICLE}/changes?form=none": "application/json",
        f"{ARTICLE}/changes": "application/json",
        f"{ARTICLE}/live?since=1": "application/json",
        f"{ARTICLE}/live?since=none": "application/json",
        f"{ARTICLE}/live": "application/json",
        f"{ARTICLE}/corrections": "text/html; charset=utf-8",
        f"{ARTICLE}/corrections.json": "application/json",
        f"{ARTICLE}/pages/0": "text/html; charset=utf-8",
        f"{ARTICLE}/updates/{'u' * 65}": "text/html; charset=utf-8",
        f"{ARTICLE}.md": "text/plain; charset=utf-8",
        f"{ARTICLE}.feed.json": "application/json",
        f"{ARTICLE}.ninjs.json": "application/json",
        f"{ARTICLE}.atom": "text/plain; charset=utf-8",
        f"{ARTICLE}.rss": "text/plain; charset=utf-8",
        f"{ARTICLE}/versions/1.json": "application/json",
        f"{ARTICLE}/versions/1.atom": "text/plain; charset=utf-8",
        f"{ARTICLE}/versions/1..2": "text/html; charset=utf-8",
        f"{ARTICLE}/anything/else": "text/html; charset=utf-8",
        f"{ARTICLE}.other.json": "application/json",
    }
    etags = {}
    paths_of_none = list(paths)[-5:]
    living = [await stand.get(path) for path in paths_of_none]
    history = [path for path in paths if "/versions/" in path]
    asked = {path: answer.status_code for path, answer in zip(paths_of_none, living, strict=True)}
    assert asked == dict.fromkeys(asked, 404) | dict.fromkeys(history, 401)
    for path in (*list(paths)[:5], *(f"{ARTICLE}.{form}" for form in ("md", "atom", "rss"))):
        etags[path] = (await stand.get(path)).headers["etag"]
    listed = await stand.get("/")
    assert "Bridge falls" in listed.text

    # when it is killed
    await stand.publish(killed("Legal advice.", at="2026-03-01T10:00:00Z"))

    # then nothing of it is left but that, when and why
    for path, kind in paths.items():
        answer = await stand.get(path, if_none_match=etags.get(path, '"none"'))
        assert answer.status_code == 410, path
        assert answer.headers["content-type"] == kind, path
        assert "Legal advice." in answer.text
        assert "Bridge" not in answer.text.replace("harbour-bridge", "")
    for path in (ARTICLE, f"{ARTICLE}/corrections"):
        assert (await stand.get(path, accept="text/csv")).status_code == 410
    assert (await stand.get(f"{ARTICLE}.json")).json() == {
        "article": SLUG,
        "status": "killed",
        "time": "2026-03-01T10:00:00Z",
        "note": "Legal advice.",
    }
    as_text = (await stand.get(f"{ARTICLE}.txt")).text
    assert as_text == "🚫 Withdrawn: 3/1/2026, 10:00:00 AM. Legal advice."

    async def unlisted() -> bool:
        return "Bridge falls" not in (await stand.get("/")).text

    await stand.until(unlisted)


async def test_latest_news_is_last_updated_first_over_all_lanes(stand):
    for number in range(1, 6):
        at = f"2026-03-0{number}T09:00:00Z"
        await stand.publish(published(f"Story {number}", slug=f"story-{number}", at=at))
    await stand.publish(closed(slug="story-3"))
    assert len({stand.newsroom.lanes.of(f"story-{number}").tag for number in range(1, 6)}) > 1

    later = "2026-03-09T09:00:00Z"
    await stand.publish(posted("u1", slug="story-2", at=later), killed(slug="story-4"))

    async def newest() -> bool:
        latest = await stand.json("/latest.json")
        found = [article["article"] for article in latest["articles"]]
        return found == ["story-2", "story-5", "story-3", "story-1"]

    await stand.until(newest)


async def test_latest_news_comes_in_pages_of_fifty(stand):
    for number in range(101):
        minute = f"2026-03-01T{number // 60:02}:{number % 60:02}:00Z"
        await stand.publish(published(f"Story {number}", slug=f"story-{number}", at=minute))

    async def all_there():
        return (await stand.json("/latest.json"))["pages"] == 3

    await stand.until(all_there)
    pages = [await stand.json(f"/latest.json?page={number}") for number in (1, 2, 3)]
    found = [article["article"] for page in pages for article in page["articles"]]
    assert found == [f"story-{number}" for number in range(100, -1, -1)]
    assert [len(page["articles"]) for page in pages] == [50, 50, 1]
    assert "Story 50" in (await stand.get("/?page=2")).text


async def test_every_answer_carries_the_security_headers(stand):
    await stand.publish(published())
    paths = [ARTICLE, f"{ARTICLE}.json", f"{ARTICLE}/changes?since=1", "/", "/nowhere", "/healthz",
             f"/static/{next(iter(ASSETS))}", "/articles/" + "a" * 600]  # fmt: skip
    answers = [await stand.get(path) for path in paths]
    stream = await stand.live()

    for headers in (*(answer.headers for answer in answers), stream.headers):
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"]
        assert headers["access-control-allow-origin"] == "*"


async def test_files_of_the_pages_are_kept_for_ever_under_names_of_their_content(stand):
    await stand.publish(published())
    key = await a_key(stand)
    version = await stand.get(f"{ARTICLE}/versions/1", **key)
    paths = (ARTICLE, "/", f"{ARTICLE}.fragment.html")
    pages = [version.text, *[(await stand.get(path)).text for path in paths]]

    for name, asset in ASSETS.items():
        answer = await stand.get(f"/static/{name}")

        assert f"/static/{name}" in "".join(pages)
        plain = await stand.http.get(f"/static/{name}", headers={"accept-encoding": "identity"})
        assert ("content-encoding" in answer.headers) == (len(asset.data) >= LEAST_BYTES)
        assert "content-encoding" not in plain.headers
        assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
        assert answer.content == plain.content == asset.data
        assert answer.headers["content-type"] == asset.media_type
        assert "immutable" in answer.headers["cache-control"]


async def test_an_article_that_was_never_opened_is_not_there(stand, redis):
    # given an article whose first event could not be read
    keys = stand.newsroom.keys()
    await stand.newsroom.file(published(), posted("u1"))
    await redis.lset(
        keys.ledger, 0, (await redis.lindex(keys.ledger, 0)).replace(b"headline", b"h")
    )
    await stand.store.render(SLUG)

    for path in (ARTICLE, f"{ARTICLE}.json", f"{ARTICLE}/changes", f"{ARTICLE}/live"):
        assert (await stand.get(path)).status_code == 404, path


async def test_an_event_of_no_effect_is_a_version_of_its_own(stand):
    await stand.publish(published(), closed())
    before = await stand.get(f"{ARTICLE}.txt")

    await stand.publish(event("article.closed"))
    after = await stand.get(f"{ARTICLE}.txt", if_none_match=before.headers["etag"])

    assert after.status_code == 200
    assert after.text == before.text


async def test_both_health_pages_explain_themselves(stand):
    healthy, ready = await stand.get("/healthz"), await stand.get("/readyz")

    assert healthy.json() == {"status": "ok"}
    assert ready.json()["ready"] is True
    assert set(ready.json()["checks"]) == {"engine", "lag", "hub", "readers"}
