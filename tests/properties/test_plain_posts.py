"""The short way to read a request with events reads it as the server does, or leaves it."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.core.plain_posts import LONGEST_BODY, head_of

HOST = b"Host: localhost"
LINES = (
    HOST, b"Content-Type: application/cloudevents+json", b"X:", b"X: ", b"x: \t a \t", b"X-1: a:b",
    b"Content-Length: 5", b"Content-Length: 7", b"Content-Length: +5", b"Content-Length : 5",
    b"Content-Length: 5, 5", b"content-length: 05", b"Content-Length:", b"Content-Length: -1",
    b"Transfer-Encoding: chunked", b" folded", b"\tfolded", b"Connection: close", b"TE: trailers",
    b"Connection: keep-alive", b"Connection: Keep-Alive", b"Connection: upgrade",
    b"a\nContent-Length: 5", b"a: b\nHost: other", b"a: b\rc: d", b"a: \x00", b"a: \xff",
    b"\xff: a", b": a", b"no colon", b"", b"Expect: 100-continue", b"Upgrade: websocket",
    b"Authorization: Bearer wt_x", b"a b: c", b"Host: other", b"ce-id: a%20b", b"a_b: c",
)  # fmt: skip
TARGETS = (b"/v1/events", b"/v1/events?a=b", b"/v1/events/", b"/v1/event", b"/V1/events", b"*")
BEGINNINGS = (b"POST ", b"post ", b"GET ", b"POST  ", b" POST ", b"\r\nPOST ")
VERSIONS = (b" HTTP/1.1", b" HTTP/1.0", b" HTTP/1.1 ", b"  HTTP/1.1", b" HTTP/2", b"")

requests = st.builds(
    lambda begin, target, version, lines, end: (
        b"\r\n".join([begin + target + version, *lines]) + end
    ),
    st.sampled_from((b"POST ",) * 8 + BEGINNINGS),
    st.sampled_from((b"/v1/events",) * 8 + TARGETS),
    st.sampled_from((b" HTTP/1.1",) * 8 + VERSIONS),
    st.lists(st.sampled_from(LINES), max_size=4).map(
        lambda lines: [HOST, b"content-length: 5", *lines]
    ),
    st.sampled_from(
        [b"\r\n\r\nabcde", b"\r\n\r\n", b"\r\n\r\nabcdefg", b"\n\nabcde", b"\r\nabcde"]
    ),
)

Read = tuple[list[tuple[bytes, bytes]], bytes]


def short_way(data: bytes) -> Read | None:
    """Return the fields and the body of a request that is there to its end."""
    head = head_of(data)
    whole = head is not None and head.end == len(data)
    return (head.fields, data[head.begin :]) if head and whole else None


def long_way(data: bytes) -> Read | None:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    body = b""
    try:
        request = connection.next_event()
        while isinstance(event := connection.next_event(), h11.Data):
            body += event.data
    except h11.RemoteProtocolError:
        return None
    whole = isinstance(request, h11.Request) and isinstance(event, h11.EndOfMessage)
    if not whole or connection.trailing_data[0]:
        return None
    assert isinstance(request, h11.Request)
    filing = (request.method, request.target) == (b"POST", b"/v1/events")
    return (list(request.headers), body) if filing else None


@given(requests)
def test_what_the_short_way_reads_the_long_way_reads_alike(data):
    read = short_way(data)

    assert read is None or read == long_way(data)


@given(requests, st.data())
def test_what_is_waited_for_becomes_what_was_sent(data, drawn):
    part = data[: drawn.draw(st.integers(0, len(data)))]

    head = head_of(part)

    assert head is None or head == head_of(data)


@pytest.mark.parametrize(
    "more", [[], [b"Connection: keep-alive", b"Accept: */*"], [b"Authorization: Bearer wt_x_y"]]
)
def test_an_ordinary_request_is_read_the_short_way(more):
    lines = [b"POST /v1/events HTTP/1.1", HOST, *more, b"Content-Length: 5", b"", b"abcde"]

    read = short_way(b"\r\n".join(lines))

    assert read is not None
    assert read == long_way(b"\r\n".join(lines))


def test_what_is_long_is_left_to_the_server():
    lines = [
        b"POST /v1/events HTTP/1.1",
        HOST,
        b"Content-Length: %d" % (LONGEST_BODY + 1),
        b"",
        b"",
    ]

    assert head_of(b"\r\n".join(lines)) is None
