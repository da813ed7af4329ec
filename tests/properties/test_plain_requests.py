"""The short way to read a request reads it as the long way does, or leaves it to that."""

from __future__ import annotations

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.deliver.core.plain_requests import fields_of, target_of

HOST = b"Host: localhost"
LINES = (
    HOST, b"Accept: */*", b"accept-encoding: gzip, br", b"If-None-Match: \"8.9f\"", b"X:", b"X: ",
    b"Content-Length: 5", b"Content-Length : 5", b"Transfer-Encoding: chunked", b" folded",
    b"\tfolded",
    b"Connection: close", b"Connection: keep-alive", b"Range: bytes=0-1", b"a\nContent-Length: 5",
    b"a: b\nHost: other", b"a: b\rc: d", b"a: \x00", b"a: \xff", b"\xff: a", b": a", b"no colon",
    b"",
    b"Expect: 100-continue", b"Upgrade: websocket", b"Authorization: Bearer wt_x", b"a b: c",
)  # fmt: skip
TARGETS = (b"/", b"/articles/a.json", b"/a?b=c", b"/a b", b"/\n", b"/\x00", b"/\xff", b"", b"*",
           b"http://other/", b"/%0a", b"/a HTTP/1.1\r\nX: /b")  # fmt: skip
BEGINNINGS = (b"GET ", b"get ", b"HEAD ", b"GET  ", b" GET ", b"\r\nGET ", b"POST ")
VERSIONS = (b" HTTP/1.1", b" HTTP/1.0", b" HTTP/1.1 ", b"  HTTP/1.1", b" HTTP/2", b"")

requests = st.builds(
    lambda begin, target, version, lines, end: (
        b"\r\n".join([begin + target + version, *lines]) + end
    ),
    st.sampled_from(BEGINNINGS),
    st.sampled_from(TARGETS),
    st.sampled_from(VERSIONS),
    st.lists(st.sampled_from(LINES), max_size=5).map(lambda lines: [HOST, *lines]),
    st.sampled_from([b"\r\n\r\n", b"\r\n\r\n", b"\r\n", b"\r\n\r\nGET", b"\n\n", b"\r\n\r\n\r\n"]),
)


def short_way(data: bytes) -> tuple[bytes, dict[bytes, bytes]] | None:
    target = target_of(data)
    fields = fields_of(data, target) if target is not None else None
    return None if fields is None else (target or b"", dict(fields))


def long_way(data: bytes) -> tuple[bytes, dict[bytes, bytes]] | None:
    """Return target and fields of what is one whole GET without a body, and nothing else."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    try:
        request, end = connection.next_event(), connection.next_event()
    except h11.RemoteProtocolError:
        return None
    whole = isinstance(request, h11.Request) and isinstance(end, h11.EndOfMessage)
    if not whole or connection.trailing_data[0]:
        return None
    assert isinstance(request, h11.Request)
    return (request.target, dict(request.headers)) if request.method == b"GET" else None


@given(requests)
@example(b"GET / HTTP/1.1\r\nHost: a\r\na: b\rc: d\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\na: \x00\r\n\r\n")
def test_what_the_short_way_reads_the_long_way_reads_alike(data):
    read = short_way(data)

    assert read is None or read == long_way(data)


@given(requests, st.data())
def test_nothing_is_read_of_a_part_of_a_request(data, drawn):
    part = data[: drawn.draw(st.integers(0, max(0, len(data) - 1)))]

    read = short_way(part)

    assert read is None or read == long_way(part)


@pytest.mark.parametrize(
    "more",
    [
        [],
        [b"Accept: text/html", b"Accept-Encoding: gzip, deflate, br", b"Cookie: a=b"],
        [b"Connection: keep-alive", b'If-None-Match: "8.9f86d081884c.r2.html.0"'],
    ],
)
def test_an_ordinary_request_is_read_the_short_way(more):
    data = b"\r\n".join([b"GET /articles/a?b=c HTTP/1.1", HOST, *more, b"", b""])

    read = short_way(data)

    assert read is not None
    assert read == long_way(data)
