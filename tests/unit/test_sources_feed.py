"""Feeds as they come: broken, sparse, hostile; each entry a piece of copy, or nothing."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from services.ingest.core.sources import feed
from services.ingest.core.sources.documents import MAX_MARKS, Document, Unreadable
from services.ingest.core.sources.entries import Entry, Reader, Seen
from shared.article.markdown import copy
from shared.contract.events import parse_event
from shared.contract.sources import Source

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
URL = "https://wire.example/live/feed.xml"
READER = Reader("harbour-bridge", Source(name="wire", url=URL), NOW)


def rss(*items: str) -> bytes:
    whole = "".join(f"<item>{item}</item>" for item in items)
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{whole}</channel></rss>'.encode()


def read(body: bytes, charset: str | None = None) -> list[Entry]:
    return feed.read(Document(body, URL, charset))


def one(item: str) -> Entry:
    (entry,) = read(rss(item))
    return entry


def events(entries: list[Entry], seen: dict[str, Seen] | None = None) -> list[dict[str, object]]:
    return [event for step in READER.steps(entries, seen or {}) for event in step.events]


def test_html_becomes_the_markdown_that_reads_alike():
    entry = one(
        "<guid>a</guid><title>Ferry &amp;amp; bus</title><description><![CDATA[<p>It "
        "<b>runs</b>, see <a href='../notice?a=1&b=2'>the notice</a>.</p><ul><li>one</li></ul>"
        "<p>2 * 3 * 4 _x_ &lt;b&gt;</p>]]></description>"
    )

    assert entry.headline == "Ferry & bus"
    assert entry.text.startswith(
        "It **runs**, see [the notice](https://wire.example/notice?a=1&b=2)."
    )
    assert copy(entry.text).text.splitlines()[-1] == "2 * 3 * 4 _x_ <b>"


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "<iframe src='https://evil.example'></iframe>",
        "<style>p{}</style><svg onload=alert(1)>",
    ],
)
def test_what_could_act_is_gone(html: str):
    text = one(f"<guid>a</guid><description><![CDATA[<p>News.</p>{html}]]></description>").text

    assert text.startswith("News.")
    assert "alert" not in text
    assert "evil" not in text


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("Tue, 24 Nov 2026 09:30:00 GMT", "2026-11-24T09:30:00Z"),
        ("Tue, 24 Nov 2026 10:30:00 +0100", "2026-11-24T09:30:00Z"),
        ("2026-11-24T10:30:00+01:00", "2026-11-24T09:30:00Z"),
        ("2026-11-24T09:30:00", None),
        ("Tue, 24 Nov 2026 09:30:00", None),
        ("Tue, 24 Nov 2026 12:30:00 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
    ],
)
def test_a_date_counts_if_it_has_a_zone_and_is_of_these_days(date: str, time: str | None):
    entry = one(f"<guid>a</guid><title>News</title><pubDate>{date}</pubDate>")

    (event,) = events([entry])

    assert event.get("time") == time


def test_entries_without_ids_are_known_by_their_links_or_else_by_what_they_say():
    first = read(rss("<link>https://wire.example/1</link><title>A</title>", "<title>B</title>"))
    again = read(rss("<link>https://wire.example/1</link><title>A, B</title>", "<title>B</title>"))

    assert [each.key for each in first] == [each.key for each in again]
    assert first[0].key == "https://wire.example/1"


def test_an_id_that_comes_twice_is_one_entry_in_the_form_that_was_edited_last():
    body = (
        b'<feed xmlns="http://www.w3.org/2005/Atom">'
        b"<entry><id>a</id><title>Old</title><updated>2026-11-24T09:00:00Z</updated></entry>"
        b"<entry><id>a</id><title>New</title><updated>2026-11-24T09:30:00Z</updated></entry></feed>"
    )

    (entry,) = read(body)

    assert entry.text == "New"


def test_an_entry_that_is_a_title_is_that_title_leading_to_its_link():
    entry = one("<guid>a</guid><title>Ferry runs</title><link>/ferry</link>")

    assert entry.text == "[Ferry runs](<https://wire.example/ferry>)"
    assert entry.headline == ""


def test_a_broken_feed_is_read_as_far_as_it_can_be():
    body = rss("<guid>a</guid><title>Bridge & ferry</title>", "<guid>b</guid><title>Open")
    body = body.replace(b"</item></channel></rss>", b"")

    assert {"a", "b"} <= {entry.key for entry in read(body)}


@pytest.mark.parametrize("body", [b"", b"<html><body>No.</body></html>", b"{}", b'{"items": 3}'])
def test_what_is_no_feed_is_refused_in_words(body: bytes):
    with pytest.raises(Unreadable, match="it is"):
        read(body)


def test_a_feed_of_tags_alone_is_refused_before_it_is_read():
    with pytest.raises(Unreadable, match="tags"):
        read(b"<rss>" + b"<a>" * MAX_MARKS)


def test_a_long_feed_is_read_within_its_limit():
    text = "x" * 4_000_000

    (entry,) = read(rss(f"<guid>a</guid><description>{text}</description>"))

    assert 0 < len(entry.text) <= 1_000_000


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (rss("<guid>a</guid><title>Fähre</title>"), None),
        (rss("<guid>a</guid><title>Fähre</title>").decode().encode("utf-16"), None),
        (rss("<guid>a</guid><title>Fähre</title>").decode().encode("latin-1"), "iso-8859-1"),
        (
            rss("<guid>a</guid><title>Fähre</title>")
            .decode()
            .replace('"1.0"?', '"1.0" encoding="windows-1252"?')
            .encode("cp1252"),
            None,
        ),
    ],
    ids=["utf-8", "utf-16", "by header", "by declaration"],
)
def test_letters_are_read_in_the_coding_that_they_are_in(body: bytes, charset: str | None):
    (entry,) = read(body, charset)

    assert entry.text == "Fähre"


def test_json_feed_is_read_with_its_authors():
    body = (
        b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": 7, "title": "Ferry",'
        b'"content_text": "It *runs*.", "authors": [{"name": "Ada"}],'
        b'"date_published": "2026-11-24T09:00:00Z"}]}'
    )

    (event,) = events(read(body))

    assert event["data"] == {
        "update_id": event["id"],
        "text": "It \\*runs\\*.",
        "headline": "Ferry",
        "authors": ["Ada"],
        "provenance": "wire",
    }


def test_an_edit_is_a_correction_and_one_that_is_undone_another():
    seen: dict[str, Seen] = {}
    told = []
    for text in ("One.", "Two.", "One.", "Two.", "Two."):
        entry = one(f"<guid>a</guid><title>T</title><description>{text}</description>")
        for step in READER.steps([entry], seen):
            told += [(event["type"].rpartition(".")[2], event["id"]) for event in step.events]
            seen[step.name] = step.seen

    assert [kind for kind, _ in told] == ["posted", "corrected", "corrected", "corrected"]
    assert len({name for _, name in told}) == 4


def test_a_headline_that_changes_alone_is_revised():
    entry = one("<guid>a</guid><title>One</title><description>Text.</description>")
    (step,) = READER.steps([entry], {})
    other = one("<guid>a</guid><title>Two</title><description>Text.</description>")

    (event,) = events([other], {step.name: step.seen})

    assert event["type"] == "writethru.update.revised"
    assert parse_event(event).update_id == step.events[0]["data"]["update_id"]


def test_entries_are_filed_oldest_first_whatever_their_order():
    dated = "<guid>{0}</guid><title>T{0}</title><pubDate>Tue, 24 Nov 2026 0{0}:00:00 GMT</pubDate>"
    by_date = events(read(rss(*(dated.format(n) for n in (2, 1, 3)))))
    undated = events(read(rss(*(f"<guid>{n}</guid><title>T{n}</title>" for n in (3, 2, 1)))))

    for found in (by_date, undated):
        assert [event["data"]["text"] for event in found] == ["T1", "T2", "T3"]  # type: ignore[index]


def test_a_packed_body_is_no_feed_until_it_is_unpacked():
    with pytest.raises(Unreadable):
        read(gzip.compress(rss("<guid>a</guid>")))
