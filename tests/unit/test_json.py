"""The JSON that readers' programs and subscribers get."""

from __future__ import annotations

from typing import Any

import orjson

from shared.article.article import Article, Head
from shared.article.formats import json
from tests.builders import (
    SLUG,
    article,
    closed,
    corrected,
    killed,
    pinned,
    posted,
    published,
    retracted,
    writethru,
)

NINE = "2026-03-01T09:00:00Z"
TEN = "2026-03-01T10:00:00Z"
ELEVEN = "2026-03-01T11:00:00Z"
TWELVE = "2026-03-01T12:00:00Z"
LONG = "The bridge is open to all traffic again, the harbour authority says."


def made(*events: dict[str, Any]) -> dict[str, Any]:
    """What a client reads: the article's JSON, decoded."""
    decoded: dict[str, Any] = orjson.loads(json.dumps(json.article(article(*events))))
    return decoded


def test_an_article_has_these_facts_in_this_order():
    # given an article with one update and no optional fact
    events = [published("Bridge opens", f"## Now\n\n{LONG}\n\n- a", at=NINE)]
    events.append(posted("u1", "Cars *crossed*.", at=TEN))
    # when it is made JSON
    document = made(*events)
    # then it says this, in this order
    assert list(document.items()) == list(
        {
            "article": SLUG,
            "version": 2,
            "chain": article(*events).head.chain,
            "status": "live",
            "headline": "Bridge opens",
            "published_at": NINE,
            "updated_at": TEN,
            "update_count": 1,
            "reading_minutes": 1,
            "cadence_seconds": 600,
            "timezone": "UTC",
            "locale": "en-US",
            "pinned": None,
            "body": [
                {"kind": "heading", "level": 2, "text": "Now"},
                {
                    "kind": "paragraph",
                    "teaser": LONG[:60] + "...",
                    "text": LONG,
                    "html": f"<p>{LONG}</p>",
                },
                {"kind": "other", "text": "- a", "html": "<ul>\n<li>a</li>\n</ul>"},
            ],
            "updates": [
                {
                    "update_id": "u1",
                    "version": 2,
                    "time": TEN,
                    "text": "Cars crossed.",
                    "html": "<p>Cars <em>crossed</em>.</p>",
                    "status": "live",
                    "notes": [],
                    "key_event": False,
                    "sources": [],
                }
            ],
        }.items()
    )


def test_optional_facts_of_an_article_appear_when_they_are_set():
    optional: dict[str, Any] = {
        "summary": "In short.",
        "authors": ["A. Writer"],
        "section": "Transport",
        "tags": ["bridges", "traffic"],
        "image": {"url": "https://example.com/b.jpg", "alt": "A bridge", "credit": "C"},
        "canonical_url": "https://example.com/bridge",
        "update_order": "newest-first",
    }
    document = made(published(**optional))
    assert {name: document.get(name) for name in optional} == optional
    assert not optional.keys() & made(published()).keys()


def test_an_image_is_as_it_was_filed():
    address = "https://example.com/b.jpg"
    assert made(published(image=address))["image"] == address
    image = {"url": address, "alt": "A bridge"}
    assert made(published(image=image))["image"] == image


def test_the_note_of_the_last_act_on_the_article_is_told():
    document = made(published(), closed(note="We are done.", at=TEN))
    assert document["status"] == "closed"
    assert document["note"] == {"kind": "closed", "time": TEN, "note": "We are done."}


def test_the_head_is_the_article_without_body_and_updates():
    folded = article(published(), posted("u1"))
    document = json.article(folded)
    del document["body"], document["updates"]
    assert list(json.head(folded.head).items()) == list(document.items())


def test_optional_facts_of_an_update_appear_when_they_are_set():
    optional: dict[str, Any] = {
        "headline": "Toll",
        "authors": ["A. Writer"],
        "images": [{"url": "https://example.com/b.jpg", "alt": "A bridge"}],
        "urgency": 1,
        "provenance": "wire",
    }
    sources = [{"n": 8, "url": "https://example.com/8", "title": "Eight"}]
    sources.append({"n": 9, "url": "https://example.com/9"})
    filed = posted("u1", key_event=True, sources=sources, **optional)
    update = made(published(), filed)["updates"][0]
    assert {name: update.get(name) for name in optional} == optional
    assert (update["key_event"], update["sources"]) == (True, sources)
    assert not optional.keys() & made(published(), posted("u1"))["updates"][0].keys()


def test_corrections_are_told_oldest_first():
    document = made(
        published(),
        posted("u1", at=TEN),
        corrected("u1", "Two.", "First.", at=ELEVEN),
        corrected("u1", "Three.", "Second.", at=TWELVE),
    )
    update = document["updates"][0]
    assert (update["text"], update["status"], update["version"]) == ("Three.", "live", 4)
    assert update["notes"] == [
        {"kind": "corrected", "time": ELEVEN, "note": "First."},
        {"kind": "corrected", "time": TWELVE, "note": "Second."},
    ]


def test_a_retracted_update_stays_without_its_text():
    document = made(
        published(),
        posted("u1", headline="H", urgency=1, key_event=True, at=TEN),
        retracted("u1", "It did not happen.", at=ELEVEN),
    )
    assert document["update_count"] == 0
    assert document["updates"] == [
        {
            "update_id": "u1",
            "version": 3,
            "time": TEN,
            "status": "retracted",
            "notes": [{"kind": "retracted", "time": ELEVEN, "note": "It did not happen."}],
            "key_event": False,
            "sources": [],
        }
    ]


def test_updates_stand_as_on_the_page():
    three = [posted("u1"), posted("u2"), posted("u3")]
    document = made(published(), *three, pinned("u2"), writethru(update_order="newest-first"))
    assert [update["update_id"] for update in document["updates"]] == ["u2", "u3", "u1"]
    assert document["pinned"] == "u2"


def test_a_version_is_that_at_which_the_update_last_changed_a_move_of_the_pin_included():
    document = made(published(), posted("u1"), posted("u2"), pinned("u1"), pinned("u2"))
    assert {each["update_id"]: each["version"] for each in document["updates"]} == {
        "u1": 5,
        "u2": 5,
    }


def test_of_a_killed_article_is_told_that_when_and_why():
    withdrawn = {"article": SLUG, "status": "killed", "time": TWELVE, "note": "Legal advice."}
    folded = article(published(), posted("u1"), killed("Legal advice.", at=TWELVE))
    assert json.article(folded) == json.head(folded.head) == json.killed(folded.head) == withdrawn


def test_a_head_that_was_never_opened_has_no_times():
    document = json.article(Article(Head(SLUG, 1, "f" * 40)))
    assert (document["status"], document["published_at"], document["updated_at"]) == (
        "unpublished",
        None,
        None,
    )


def test_times_are_utc_and_as_exact_as_they_were_filed():
    document = made(published(at="2026-03-01T10:00:00.25+01:00"))
    assert document["published_at"] == "2026-03-01T09:00:00.25Z"


def test_bytes_are_utf_8_and_the_same_for_the_same_article():
    events = [published("Ein schöner Tag 🎉"), posted("u1")]
    data = json.dumps(json.article(article(*events)))
    assert "Ein schöner Tag 🎉".encode() in data
    assert data == json.dumps(json.article(article(*events)))
