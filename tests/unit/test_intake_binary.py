"""Binary mode: headers and a body → the event that structured mode would have sent."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.core.binary import is_binary, read
from services.ingest.core.bodies import Item
from shared.contract.errors import InvalidEvent, Refused
from shared.contract.events import MAX_EVENT_BYTES, parse_event

HEADERS = {
    "ce-specversion": "1.0",
    "ce-id": "update-7",
    "ce-source": "/newsroom/cms",
    "ce-type": "writethru.update.posted",
    "ce-subject": "harbour-bridge",
}
BODY = b'{"text": "The first cars crossed."}'


def read_with(body: bytes = BODY, /, *more: tuple[str, str], **changed: str | None) -> Item:
    """Read BODY with HEADERS, of which *changed* replaces some and, by None, leaves some out."""
    named = HEADERS | {f"ce-{name}": value for name, value in changed.items()}
    pairs = [(name, value) for name, value in named.items() if value is not None]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in [*pairs, *more]]
    return read([(b"host", b"localhost"), *raw], "application/json", body)


def value(item: Item) -> dict[str, Any]:
    assert item.value is not None, item.refusal
    return dict(item.value)


def errors(item: Item) -> dict[str, str]:
    assert isinstance(item.refusal, InvalidEvent)
    return {error.pointer: error.detail for error in item.refusal.errors}


def test_an_event_is_put_together_from_its_headers_and_its_body() -> None:
    found = value(read_with(time="2026-03-01T09:10:00Z", traceparent="00-1f-2e-01"))

    assert found == {
        "specversion": "1.0",
        "id": "update-7",
        "source": "/newsroom/cms",
        "type": "writethru.update.posted",
        "subject": "harbour-bridge",
        "time": "2026-03-01T09:10:00Z",
        "traceparent": "00-1f-2e-01",
        "datacontenttype": "application/json",
        "data": {"text": "The first cars crossed."},
    }
    assert parse_event(found).update_id == "update-7"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),  # the binding's own example
        ('"two words"', "two words"),
        (r'"a \"quoted\" \\ word"', r'a "quoted" \ word'),
        ("two words", "two words"),
        ("100%25", "100%"),
        ("%2525", "%25"),
        ('say "hi"', 'say "hi"'),
        ('"', '"'),
    ],
)
def test_a_header_is_undone_once_and_its_quotes_first(sent: str, meant: str) -> None:
    assert value(read_with(desk=sent))["desk"] == meant


@pytest.mark.parametrize(
    ("sent", "word"),
    [
        ("%E2%82", "UTF-8"),
        ("%C0%80", "UTF-8"),
        ("Zürich", "ASCII"),
        ("100%", "%25"),
        ("%zz", "%25"),
    ],
)
def test_a_header_that_could_be_read_in_two_ways_is_refused_by_its_name(
    sent: str, word: str
) -> None:
    found = errors(read_with(desk=sent))

    assert list(found) == ["/desk"]
    assert word in found["/desk"]


@pytest.mark.parametrize(
    ("sent", "meant"), [("3", 3), ("0", 0), ("-1", -1), ("03", "03"), ("3.0", "3.0"), ("", "")]
)
def test_a_baseversion_is_an_integer_if_it_reads_as_one(sent: str, meant: object) -> None:
    assert value(read_with(baseversion=sent))["baseversion"] == meant


def test_other_extensions_stay_text() -> None:
    assert value(read_with(hop="3"))["hop"] == "3"


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "subject"])
def test_a_header_that_is_missing_is_named(name: str) -> None:
    assert errors(read_with(**{name: None})) == {
        f"/{name}": f"is required; send it as the header ce-{name}"
    }


@pytest.mark.parametrize("name", ["datacontenttype", "data"])
def test_what_has_its_place_elsewhere_is_no_header(name: str) -> None:
    assert f"remove the header ce-{name}" in errors(read_with(**{name: "x"}))[f"/{name}"]


def test_a_header_that_comes_twice_is_refused() -> None:
    found = errors(read_with(BODY, ("ce-id", "update-8")))

    assert found == {"/id": "is sent twice; send the header ce-id once"}


def test_whether_a_request_is_binary_is_for_its_headers_to_say() -> None:
    assert is_binary([(b"host", b"localhost"), (b"ce-id", b"1")])
    assert not is_binary([(b"host", b"localhost"), (b"cecilia", b"1")])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b'{"a": 1, "a": 2}', "malformed"),
        (b"[" * 31 + b"]" * 31, None),
        (b"[" * 32 + b"]" * 32, "malformed"),
        (b'"' + b"a" * (MAX_EVENT_BYTES - 2) + b'"', None),
        (b'"' + b"a" * (MAX_EVENT_BYTES - 1) + b'"', "too-large"),
    ],
)
def test_a_body_has_the_limits_of_an_event(body: bytes, code: str | None) -> None:
    if code is None:
        assert read_with(body).value is not None
        return
    with pytest.raises(Refused) as refusal:
        read_with(body)
    assert refusal.value.code == code


def test_data_that_is_no_object_is_the_form_of_the_event() -> None:
    with pytest.raises(InvalidEvent) as refusal:
        parse_event(value(read_with(b"[]")))

    assert [error.pointer for error in refusal.value.errors] == ["/data"]
