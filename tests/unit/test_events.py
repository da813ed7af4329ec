"""Events as publishers send them: which are taken, and what is said about the others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.contract import acts
from shared.contract.errors import InvalidEvent
from shared.contract.events import MAX_ERRORS, parse_event
from tests import builders
from tests.builders import Envelope, event, posted, published

CANARY = "Minister resigns"


def errors_of(value: object) -> dict[str, str]:
    with pytest.raises(InvalidEvent) as refused:
        parse_event(value)
    return {error.pointer: error.detail for error in refused.value.errors}


def with_data(envelope: Envelope, **facts: Any) -> Envelope:
    return {**envelope, "data": {**envelope["data"], **facts}}


GOOD = {
    "the least of an article": published(),
    "an article without copy": published(body=""),
    "all of an article": published(
        published_at="2026-03-01T08:00:00+01:00",
        timezone="Europe/London",
        locale="en-GB",
        cadence_seconds=None,
        section="Harbour",
        tags=["bridges", "traffic"],
        authors=["Ana Díaz"],
        summary="It *opens*.",
        image={"url": "https://img.example/1.jpg", "alt": "", "credit": "Ana Díaz"},
        canonical_url="https://news.example/harbour?id=1#top",
        update_order="newest-first",
        embargo_until="2026-03-01T12:00:00Z",
    ),
    "an image by its address": published(image="https://img.example/1.jpg"),
    "a writethru of one field": builders.writethru(section="Harbour"),
    "a writethru that clears": builders.writethru(section=None, tags=None, note="Untagged."),
    "a close": builders.closed(),
    "a close with a note": builders.closed(note="Until tomorrow."),
    "a reopening": builders.reopened(note=None),
    "a kill": builders.killed(),
    "the least of an update": event("update.posted", text="It moves."),
    "all of an update": posted(
        "u1",
        headline="Moving",
        authors=[],
        sources=[{"n": 8, "url": "https://a.example", "title": "A"}, {"n": 0, "url": "http://b"}],
        images=[{"url": "https://img.example/1.jpg", "alt": "A bridge"}],
        key_event=True,
        urgency=9,
        embargo_until="2026-03-01T12:00:00+01:00",
        provenance="wire",
    ),
    "a revision": builders.revised("u1", key_event=False),
    "a revision that clears": builders.revised("u1", headline=None),
    "a correction": builders.corrected("u1", sources=[]),
    "a retraction": builders.retracted("~._-Z9"),
    "a pin": builders.pinned("u1"),
    "an unpin": builders.unpinned("u1"),
    "a redaction": builders.redacted("u1"),
}


@pytest.mark.parametrize("envelope", GOOD.values(), ids=GOOD.keys())
def test_every_act_is_taken_in_its_forms(envelope: Envelope) -> None:
    taken = parse_event(envelope)

    assert type(taken.act).wire == envelope["type"]
    assert taken.envelope == envelope


def test_the_good_forms_cover_every_type() -> None:
    assert {envelope["type"] for envelope in GOOD.values()} == acts.ACTS.keys()


BAD_DATA: dict[str, tuple[Envelope, str, str]] = {
    "no headline": (event("article.published", body="B"), "/data/headline", "required"),
    "no body": (event("article.published", headline="H"), "/data/body", "required"),
    "a null headline": (with_data(published(), headline=None), "/data/headline", "string"),
    "a blank headline": (published(" \u00a0 "), "/data/headline", "blank"),
    "a headline of two lines": (published("One\r\ntwo"), "/data/headline", "one line"),
    "a headline with U+2028": (published("One\u2028two"), "/data/headline", "one line"),
    "a control character": (published(body="a\x07b"), "/data/body", "U+0007"),
    "a C1 control": (published(body="a\x85b"), "/data/body", "U+0085"),
    "half a surrogate pair": (published(body="a\ud83d"), "/data/body", "U+D83D"),
    "a noncharacter": (published("a\uffff"), "/data/headline", "U+FFFF"),
    "a misspelt field": (published(headlines="H"), "/data/headlines", "spelling"),
    "a field with a slash": (with_data(published(), **{"a/b~c": 1}), "/data/a~1b~0c", "spelling"),
    "a field without a name": (with_data(published(), **{"": 1}), "/data/", "spelling"),
    "an unknown zone": (published(timezone="Mars/Base"), "/data/timezone", "Europe/London"),
    "a zone that is a path": (published(timezone="../UTC"), "/data/timezone", "Europe/London"),
    "an unknown locale": (published(locale="xx-YY"), "/data/locale", "en-GB"),
    "a time without zone": (published(published_at="2026-03-01T08:00:00"), "/data/published_at",
                            "zone"),
    "a day that isn't": (published(published_at="2026-02-30T08:00:00Z"), "/data/published_at",
                         "exist"),
    "an embargo without zone": (posted("u1", embargo_until="2026-03-01T12:00:00"),
                                "/data/embargo_until", "zone"),
    "an embargo on a correction": (builders.corrected("u1", embargo_until="2026-03-01T12:00:00Z"),
                                   "/data/embargo_until", "spelling"),
    "a cadence of nothing": (published(cadence_seconds=0), "/data/cadence_seconds", "1"),
    "a cadence of weeks": (published(cadence_seconds=86_401), "/data/cadence_seconds", "86400"),
    "half a second": (published(cadence_seconds=0.5), "/data/cadence_seconds", "integer"),
    "a number as text": (published(cadence_seconds="600"), "/data/cadence_seconds", "integer"),
    "true as a number": (published(cadence_seconds=True), "/data/cadence_seconds", "integer"),
    "a huge number": (published(cadence_seconds=10**40), "/data/cadence_seconds", "86400"),
    "one tag": (published(tags="bridges"), "/data/tags", "array"),
    "a blank tag": (published(tags=["a", ""]), "/data/tags/1", "blank"),
    "too many tags": (published(tags=["a"] * 101), "/data/tags", "100"),
    "an order of its own": (published(update_order="random"), "/data/update_order", "newest"),
    "a script as address": (published(canonical_url="javascript:alert(1)"), "/data/canonical_url",
                            "http"),
    "an address with a space": (published(image="https://a.example/a b"), "/data/image", "http"),
    "an image without alt": (published(image={"url": "https://a.example"}), "/data/image/alt",
                             "required"),
    "an image that is a number": (published(image=5), "/data/image", "object"),
    "a writethru without copy": (builders.writethru(headline=None), "/data/headline", "string"),
    "a kill without a note": (event("article.killed"), "/data/note", "required"),
    "a note that isn't one": (builders.killed(note="\n"), "/data/note", "one line"),
    "an update without text": (event("update.posted", update_id="u1"), "/data/text", "required"),
    "an update of white space": (posted("u1", "\n\t "), "/data/text", "blank"),
    "an update_id with a slash": (posted("a/b"), "/data/update_id", "A-Z"),
    "an update_id of 65": (posted("u" * 65), "/data/update_id", "64"),
    "an id that is no update_id": (event("update.posted", id="a/b", text="T"), "/data/update_id",
                                   "event's id"),
    "urgency 10": (posted("u1", urgency=10), "/data/urgency", "9"),
    "an unknown provenance": (posted("u1", provenance="robot"), "/data/provenance", "wire"),
    "a source without address": (posted("u1", sources=[{"n": 1}]), "/data/sources/0/url",
                                 "required"),
    "a source that is text": (posted("u1", sources=["https://a.example"]), "/data/sources/0",
                              "object"),
    "a key event that is text": (posted("u1", key_event="yes"), "/data/key_event", "boolean"),
    "a revision of nothing": (builders.revised("u1"), "/data", "revises nothing"),
    "a revision with a note": (builders.revised("u1", text="T", note="N"), "/data/note",
                               "spelling"),
    "a correction without a note": (event("update.corrected", update_id="u1", text="T"),
                                    "/data/note", "required"),
    "a retraction with a text": (builders.retracted("u1", text="T"), "/data/text", "spelling"),
    "a pin of nothing": (event("update.pinned"), "/data/update_id", "required"),
}  # fmt: skip


@pytest.mark.parametrize(("envelope", "pointer", "word"), BAD_DATA.values(), ids=BAD_DATA.keys())
def test_wrong_data_is_refused_with_its_pointer_and_a_remedy(
    envelope: Envelope, pointer: str, word: str
) -> None:
    errors = errors_of(envelope)

    assert list(errors) == [pointer]
    assert word in errors[pointer]


BAD_ENVELOPE: dict[str, tuple[dict[str, Any], str, str]] = {
    "no specversion": ({"specversion": None}, "/specversion", "required"),
    "another specversion": ({"specversion": "0.3"}, "/specversion", "1.0"),
    "a specversion that is a number": ({"specversion": 1.0}, "/specversion", "1.0"),
    "no id": ({"id": None}, "/id", "required"),
    "an empty id": ({"id": ""}, "/id", "visible"),
    "an id with a space": ({"id": "a b"}, "/id", "visible"),
    "an id with a line break": ({"id": "a\n"}, "/id", "visible"),
    "an id beyond ASCII": ({"id": "ä"}, "/id", "visible"),
    "an id of 129": ({"id": "a" * 129}, "/id", "128"),
    "an id that is a number": ({"id": 7}, "/id", "string"),
    "no source": ({"source": None}, "/source", "required"),
    "an empty source": ({"source": ""}, "/source", "URI"),
    "a source with a space": ({"source": "news room"}, "/source", "URI"),
    "a source of 257": ({"source": "/" * 257}, "/source", "256"),
    "no type": ({"type": None}, "/type", "required"),
    "an unknown type": ({"type": "writethru.update.deleted"}, "/type", "writethru.update.posted"),
    "a type that is an array": ({"type": []}, "/type", "string"),
    "no subject": ({"subject": None}, "/subject", "required"),
    "a subject in capitals": ({"subject": "Harbour"}, "/subject", "lower-case"),
    "a subject with two hyphens": ({"subject": "a--b"}, "/subject", "single hyphens"),
    "a subject with a line break": ({"subject": "a\n"}, "/subject", "lower-case"),
    "a subject of 129": ({"subject": "a" * 129}, "/subject", "128"),
    "a time without zone": ({"time": "2026-03-01T09:00:00"}, "/time", "zone"),
    "a time that is a number": ({"time": 1772355600}, "/time", "string"),
    "a time before all times": ({"time": "0001-01-01T00:00:00+14:00"}, "/time", "exist"),
    "another kind of content": ({"datacontenttype": "text/html"}, "/datacontenttype", "JSON"),
    "no data": ({"data": None}, "/data", "required"),
    "data that is text": ({"data": "{}"}, "/data", "object"),
    "data in base64": ({"data_base64": "e30="}, "/data_base64", "lower-case"),
    "a negative baseversion": ({"baseversion": -1}, "/baseversion", "0"),
    "a huge baseversion": ({"baseversion": 10**30}, "/baseversion", "9007199254740991"),
    "a baseversion that is text": ({"baseversion": "8"}, "/baseversion", "integer"),
    "an attribute in capitals": ({"traceParent": "x"}, "/traceParent", "lower-case"),
    "an attribute that is an object": ({"desk": {}}, "/desk", "string"),
    "an attribute that is a fraction": ({"desk": 1.5}, "/desk", "string"),
    "an attribute beyond every number": ({"desk": 10**30}, "/desk", "2^53"),
    "an attribute that is no text": ({"desk": "a\x00"}, "/desk", "control"),
}


@pytest.mark.parametrize(
    ("facts", "pointer", "word"), BAD_ENVELOPE.values(), ids=BAD_ENVELOPE.keys()
)
def test_a_wrong_envelope_is_refused_with_its_pointer_and_a_remedy(
    facts: dict[str, Any], pointer: str, word: str
) -> None:
    errors = errors_of(published() | facts)

    assert list(errors) == [pointer]
    assert word in errors[pointer]


@pytest.mark.parametrize("value", [None, 5, "text", [], [published()], True])
def test_what_is_no_object_is_no_event(value: object) -> None:
    assert errors_of(value) == {"": "must be an object"}


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = published(headline="", body="\x00", timezone="Mars/Base") | {"id": "", "desk": []}

    assert set(errors_of(wrong)) == {
        "/id", "/desk", "/data/headline", "/data/body", "/data/timezone",
    }  # fmt: skip


def test_a_flood_of_errors_is_cut() -> None:
    assert (
        len(errors_of(with_data(published(), **{f"field{n}": n for n in range(1000)})))
        == MAX_ERRORS
    )


@pytest.mark.parametrize(
    "envelope",
    [
        posted("u1", f"{CANARY}\x00", headline=f"{CANARY}\n{CANARY}"),
        posted("u1", sources=[{"n": CANARY, "url": CANARY, "title": f"{CANARY}\n"}]),
        published(f"{CANARY}\n", timezone=CANARY, locale=CANARY, published_at=CANARY),
        published(image=CANARY, canonical_url=CANARY, update_order=CANARY, tags=CANARY),
        published(cadence_seconds=CANARY) | {"time": CANARY, "subject": CANARY, "id": CANARY},
        published() | {"source": CANARY, "specversion": CANARY, "datacontenttype": CANARY},
        published() | {"type": CANARY, "desk": f"{CANARY}\x00", "baseversion": CANARY},
        event("update.posted", id=f"{CANARY}/1".replace(" ", "-"), text="T"),
    ],
)
def test_no_error_repeats_what_was_sent(envelope: Envelope) -> None:
    with pytest.raises(InvalidEvent) as refused:
        parse_event(envelope)

    said = " ".join([str(refused.value), *(error.detail for error in refused.value.errors)])
    assert "resigns" not in said


def test_what_a_gateway_adds_is_kept() -> None:
    sent = published() | {
        "datacontenttype": "application/json; charset=utf-8",
        "dataschema": "https://schemas.example/update",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "seq": 8,
        "chain": "9f",
        "sampled": True,
        "averylongattributenameofagateway": "x",
    }

    assert parse_event(sent).envelope == sent


def test_an_optional_attribute_that_is_null_was_not_sent() -> None:
    sent = published()

    taken = parse_event(sent | {"time": None, "baseversion": None, "desk": None})

    assert (taken.time, taken.baseversion) == (None, None)
    assert taken.envelope == sent


def test_a_null_in_the_data_is_told_from_a_field_that_was_not_sent() -> None:
    sent = parse_event(builders.writethru(section=None)).act

    assert sent.model_fields_set == {"section"}


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        ("2026-03-01T09:00:00Z", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01t09:00:00z", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01T10:30:00+01:30", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01T09:00:00.25Z", datetime(2026, 3, 1, 9, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-03-01T09:00:00.123456789Z", datetime(2026, 3, 1, 9, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_a_time_is_an_instant_in_any_zone(sent: str, understood: datetime) -> None:
    taken = parse_event(published() | {"time": sent})

    assert taken.time == understood
    assert taken.envelope["time"] == sent


def test_decomposed_text_is_composed_in_the_act_and_kept_as_sent_in_the_envelope() -> None:
    decomposed = "Bru\u0308cke"

    taken = parse_event(published(decomposed, decomposed, tags=[decomposed]))

    assert isinstance(taken.act, acts.Published)
    assert (taken.act.headline, taken.act.body, taken.act.tags) == ("Brücke", "Brücke", ("Brücke",))
    assert taken.envelope["data"]["headline"] == decomposed


def test_text_keeps_its_lines_whatever_ends_them() -> None:
    taken = parse_event(posted("u1", "One\r\n\r\ntwo\tthree\n"))

    assert isinstance(taken.act, acts.Posted)
    assert taken.act.text == "One\r\n\r\ntwo\tthree\n"


def test_a_run_of_combining_marks_that_no_language_has_is_broken() -> None:
    # Else putting them in order takes time by the square of their number.
    taken = parse_event(posted("u1", "a" + "\u0301\u0327" * 40))

    assert isinstance(taken.act, acts.Posted)
    assert "\u034f" in taken.act.text


@pytest.mark.parametrize(
    ("envelope", "update_id"),
    [
        (posted("u1"), "u1"),
        (event("update.posted", id="update-7", text="T"), "update-7"),
        (event("update.posted", id="update-7", text="T", update_id=None), "update-7"),
        (builders.retracted("u1"), "u1"),
        (published(), None),
        (builders.closed(), None),
    ],
)
def test_an_update_is_named_by_its_update_id_or_else_by_its_event(
    envelope: Envelope, update_id: str | None
) -> None:
    assert parse_event(envelope).update_id == update_id


def test_ids_sources_and_subjects_may_be_as_long_as_promised() -> None:
    names = {"id": "~" * 128, "source": "/" * 256, "subject": "a" * 128}

    taken = parse_event(published() | names)

    assert {"id": taken.id, "source": taken.source, "subject": taken.subject} == names
