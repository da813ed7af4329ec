"""ninjs of all branches, Superdesk's content API and the Guardian's live blogs, as entries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from services.ingest.core.sources import guardian, ninjs
from services.ingest.core.sources.documents import Document, Unreadable
from services.ingest.core.sources.entries import Entry, Reader
from shared.article.formats import json
from shared.article.formats import ninjs as written
from shared.contract.events import parse_event
from shared.contract.sources import Source
from tests.builders import article, corrected, posted, published, retracted

URL = "https://desk.example/api"
READER = Reader(
    "harbour-bridge",
    Source(name="desk", kind="ninjs", url=URL),
    datetime(2026, 11, 24, 10, tzinfo=UTC),
)


def doc(value: Any) -> Document:
    return Document(orjson.dumps(value), URL)


def texts(entries: list[Entry]) -> list[str]:
    return [entry.text for entry in entries]


@pytest.mark.parametrize(
    "item",
    [
        {"uri": "u", "headline": "Ferry", "body_html": "<p>It <i>runs</i>.</p>",
         "versioncreated": "2026-11-24T09:00:00Z", "byline": "Ada"},
        {"uri": "u", "headlines": [{"value": "Ferry"}], "by": "Ada",
         "versioncreated": "2026-11-24T09:00:00Z",
         "bodies": [{"contenttype": "text/html", "value": "<p>It <i>runs</i>.</p>"}]},
        {"uri": "u", "headlines": [{"value": "Ferry"}], "by": "Ada",
         "firstCreated": "2026-11-24T09:00:00Z",
         "bodies": [{"contentType": "text/html", "value": "<p>It <i>runs</i>.</p>"}]},
    ],
    ids=["1.6", "2.2", "3.1"],
)  # fmt: skip
def test_ninjs_of_each_branch_is_read_alike(item: dict[str, Any]):
    for value in (item, [item], {"items": [item]}):
        (entry,) = ninjs.read(doc(value))
        assert (entry.key, entry.headline, entry.text) == ("u", "Ferry", "It *runs*.")
        assert (entry.authors, entry.time) == (("Ada",), datetime(2026, 11, 24, 9, tzinfo=UTC))


def test_superdesk_is_read_by_its_guids_with_urgency_and_embargo():
    item = {
        "_id": "x", "guid": "tag:desk:1", "urgency": 3, "body_html": "<p>News.</p>",
        "pubstatus": "usable", "embargoed": "2026-11-25T09:00:00+0000", "type": "text",
    }  # fmt: skip
    entries = ninjs.superdesk(doc({"_items": [item, {"no": "id"}], "_links": {}}))

    ((step,),) = [list(READER.steps(entries, {}))]

    assert entries[0].key == "tag:desk:1"
    assert step.events[0]["data"]["urgency"] == 3
    assert step.events[0]["data"]["embargo_until"] == "2026-11-25T09:00:00Z"


@pytest.mark.parametrize("status", ["canceled", "withheld", "stat:canceled"])
def test_what_is_withdrawn_at_its_source_is_retracted_once_and_never_posted(status: str):
    item = {"uri": "u", "body_text": "News."}
    (step,) = READER.steps(ninjs.read(doc(item)), {})
    gone = ninjs.read(doc({**item, "pubstatus": status}))

    (back,) = READER.steps(gone, {step.name: step.seen})

    (event,) = back.events
    assert event["type"] == "writethru.update.retracted"
    assert parse_event(event).update_id == step.events[0]["data"]["update_id"]
    assert list(READER.steps(gone, {step.name: back.seen})) == []
    assert [each for each in READER.steps(gone, {}) if each.events] == []


def test_what_one_installation_writes_another_reads():
    story = article(
        published(), posted("u1", "It *runs*."), posted("u2", "No."), retracted("u2"),
        corrected("u1", "It **ran**."),
    )  # fmt: skip
    document = written.document(story, "https://a.example")

    entries = ninjs.read(Document(json.dumps(document), URL))

    assert entries[0].text == "It **ran**."
    assert [each.gone for each in entries] == [False, True]


def block(**facts: Any) -> dict[str, Any]:
    return {
        "id": "b1",
        "bodyHtml": "<p>It <strong>runs</strong>.</p>",
        "published": True,
        "firstPublishedDate": "2026-11-24T09:00:00Z",
        "lastModifiedDate": "2026-11-24T09:01:00Z",
        "attributes": {"keyEvent": True},
        **facts,
    }


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_live_blog_gives_its_published_blocks_with_key_events(wrapped: bool):
    blog: Any = {"blocks": {"body": [block(), block(id="b2", published=False)]}}
    value = {"response": {"content": blog}} if wrapped else blog

    (entry,) = guardian.read(doc(value))

    assert (entry.key, entry.text, entry.key_event) == ("b1", "It **runs**.", True)
    assert entry.time == datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "date",
    ["2026-11-24T09:00:00Z", 1_795_510_800_000, {"iso8601": "2026-11-24T09:00:00Z"}],
)
def test_a_block_has_its_time_in_each_of_the_forms_that_are_seen(date: Any):
    (entry,) = guardian.read(doc({"blocks": {"body": [block(firstPublishedDate=date)]}}))

    assert entry.time == datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize("read", [ninjs.read, ninjs.superdesk, guardian.read])
@pytest.mark.parametrize("value", [None, 3, "x", {}, {"_items": {}}, {"blocks": []}])
def test_another_document_is_refused_in_words(read: Any, value: Any):
    with pytest.raises(Unreadable, match="it "):
        read(doc(value))
