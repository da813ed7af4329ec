"""Bodies: how each media type is read, and what no parser may guess at."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson
import pytest

from services.ingest.core.bodies import (
    MAX_BATCH_EVENTS,
    MAX_LINES,
    Item,
    batch,
    decode,
    lines,
    one,
    read_event,
)
from shared.contract.errors import Refused
from shared.contract.events import MAX_DEPTH, MAX_EVENT_BYTES

CANARY = "Minister resigns"


def refused(read: Callable[[bytes], object], body: bytes) -> Refused:
    with pytest.raises(Refused) as refusal:
        read(body)
    return refusal.value


def codes(items: Iterable[Item]) -> list[str | None]:
    return [item.refusal.code if item.refusal else None for item in items]


def nested(depth: int) -> bytes:
    """An object in which the innermost value is *depth* objects and arrays down."""
    arrays = depth - 1
    return b'{"a":' + b"[" * arrays + b"]" * arrays + b"}"


def padded(size: int) -> bytes:
    body = b'{"text":"' + b"a" * size
    return body[: size - 2] + b'"}'


MALFORMED = {
    "nothing": b"",
    "white space": b" \n",
    "half an object": b'{"id":',
    "two objects": b"{} {}",
    "Latin-1": '{"a":"Brücke"}'.encode("latin-1"),
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "an overlong encoding": b'{"a":"\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\xbd"}',
    "half a surrogate pair": rb'{"a":"\ud83d"}',
    "half a surrogate pair as a name": rb'{"\udc00":1}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "a name twice": b'{"id":"a","id":"b"}',
    "a name twice, escaped": rb'{"id":"a","\u0069d":"b"}',
    "a name twice, deep down": b'{"data":{"a":[{"b":1,"b":1}]}}',
    "an integer of 65 bits": b'{"a":18446744073709551616}',
    "an integer of 5,000 digits": b'{"a":' + b"1" * 5000 + b"}",
    "a raw line break in a string": b'{"a":"one\ntwo"}',
    "single quotes": b"{'a':1}",
    "a trailing comma": b'{"a":1,}',
    "a comment": b'{"a":1} // b',
    "one level too deep": nested(MAX_DEPTH + 1),
    "deeper than any stack": b"[" * 100_000,
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_two_parsers_could_read_in_two_ways_is_malformed(body: bytes) -> None:
    assert refused(decode, body).code == "malformed"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf {"a":1}\r\n', {"a": 1}),
        (rb'{"a":"\ud83d\ude00 \u00fc\/"}', {"a": "😀 ü/"}),
        (b'{"a":[1,-0,1.5e3,true,null,""]}', {"a": [1, 0, 1500.0, True, None, ""]}),
        (b'{"":{},"a":{}}', {"": {}, "a": {}}),
    ],
)
def test_json_is_read_as_it_says(body: bytes, value: object) -> None:
    assert decode(body) == value


def test_thirty_two_levels_are_not_too_deep() -> None:
    assert decode(nested(MAX_DEPTH)) is not None


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"null", b"true"])
def test_an_event_is_an_object(body: bytes) -> None:
    refusal = refused(one, body)

    assert refusal.code == "malformed"
    assert "object" in refusal.detail


def test_an_event_has_256_kib_at_most() -> None:
    assert read_event(padded(MAX_EVENT_BYTES))
    assert refused(one, padded(MAX_EVENT_BYTES + 1)).code == "too-large"


@pytest.mark.parametrize("broken", [b'{"a":"%s', b'{"%s":1,"%s":1}', b'{"a":"%s\x01"}', b"%s"])
def test_no_refusal_repeats_what_was_sent(broken: bytes) -> None:
    body = broken.replace(b"%s", CANARY.encode())

    assert "resigns" not in refused(decode, body).detail


def test_a_refusal_says_where_the_json_breaks() -> None:
    assert "line 2, column 5" in refused(decode, b'{"a":1,\n    b}').detail
    assert "column 9" in refused(decode, b'{"a": 1 b}').detail


def test_a_batch_is_an_array_of_events() -> None:
    assert [item.value for item in batch(b' [ {"a":1} ,\n{"a":[2,"]"]} ] ')] == [
        {"a": 1},
        {"a": [2, "]"]},
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[", b"[{}", b"[{},", b"[{},]", b"[,{}]", b"[{} {}]", b"[{}]]", b"[{}] []",
        b"[]]", b"[{}\xff]", b"5", b"[{}}", b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_batch_that_is_no_array_is_malformed_as_a_whole(body: bytes) -> None:
    assert refused(batch, body).code == "malformed"


def test_an_element_that_is_no_event_is_refused_by_itself() -> None:
    body = b'[{"a":1}, 5, {"a":1,"a":2}, %s, %s, {"a":2}]' % (
        nested(MAX_DEPTH + 1),
        padded(MAX_EVENT_BYTES + 1),
    )

    found = [None, "malformed", "malformed", "malformed", "too-large", None]
    assert codes(batch(body)) == found


def test_an_element_is_measured_as_it_was_sent() -> None:
    escaped = rb'{"text":"%s"}' % (rb"\u0061" * (MAX_EVENT_BYTES // 6))

    assert codes(batch(b"[%s]" % escaped)) == ["too-large"]


def test_a_batch_holds_500_events_at_most() -> None:
    assert len(list(batch(orjson.dumps([{}] * MAX_BATCH_EVENTS)))) == MAX_BATCH_EVENTS
    assert refused(batch, orjson.dumps([{}] * (MAX_BATCH_EVENTS + 1))).code == "too-large"


def test_lines_are_numbered_from_one_and_blank_ones_do_not_count() -> None:
    body = b'\n{"a":1}\r\n \t\r\n{"a":2}\nno event\n\n[]\n{"a":3}'

    items = list(lines(body))

    assert [(item.line, item.value) for item in items if item.value] == [
        (2, {"a": 1}),
        (4, {"a": 2}),
        (8, {"a": 3}),
    ]
    assert [(item.line, item.refusal.code) for item in items if item.refusal] == [
        (5, "malformed"),
        (7, "malformed"),
    ]


def test_only_line_feeds_end_a_line() -> None:
    assert [item.value for item in lines('{"a":"1\u2028\u0085"}'.encode())] == [
        {"a": "1\u2028\u0085"}
    ]


def test_a_line_is_measured_by_itself() -> None:
    body = padded(MAX_EVENT_BYTES) + b"\n" + padded(MAX_EVENT_BYTES + 1) + b"\n{}"

    assert codes(lines(body)) == [None, "too-large", None]


def test_there_are_10_000_lines_at_most() -> None:
    assert len(list(lines(b"{}\n\n" * MAX_LINES))) == MAX_LINES
    assert refused(lines, b"{}\n" * (MAX_LINES + 1)).code == "too-large"


@pytest.mark.parametrize(
    ("read", "body"), [(batch, b"[]"), (batch, b" [\n] "), (lines, b""), (lines, b"\r\n \n")]
)
def test_a_request_without_events_is_invalid_once_they_are_asked_for(
    read: Callable[[bytes], Iterable[Item]], body: bytes
) -> None:
    items = read(body)

    assert refused(lambda _: list(items), body).code == "invalid"
