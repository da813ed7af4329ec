"""A body on its way in: how much of it is read, and how long it is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from services.ingest.core.bodies import MAX_REQUEST_BYTES
from services.ingest.reading import Patience, Unread, check_length, read_body

PATIENT = Patience()


class Sender:
    """Gives a body in *chunks*, then nothing more; counts what was taken of it."""

    def __init__(self, chunks: Iterable[bytes], *, ends: bool = True) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._ends = ends
        self.taken = 0

    async def __call__(self) -> Message:
        chunk = next(self._chunks, None)
        if chunk is None:
            if not self._ends:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": b"", "more_body": False}
        self.taken += 1
        return {"type": "http.request", "body": chunk, "more_body": True}


def request(sender: Sender | None = None, **headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": "http", "method": "POST", "headers": named}
    return Request(scope, sender) if sender else Request(scope)


async def test_a_body_in_pieces_is_put_together() -> None:
    assert await read_body(request(Sender([b"ab", b"", b"c"])), PATIENT) == b"abc"


async def test_a_body_as_large_as_promised_is_read() -> None:
    body = await read_body(request(Sender([b"a" * MAX_REQUEST_BYTES])), PATIENT)

    assert len(body) == MAX_REQUEST_BYTES


async def test_a_body_without_end_is_read_up_to_the_limit_and_no_further() -> None:
    mebibyte = b"a" * 1024 * 1024
    endless = Sender(iter(lambda: mebibyte, None))

    with pytest.raises(Unread) as refusal:
        await read_body(request(endless), PATIENT)

    assert refusal.value.code == "too-large"
    assert endless.taken == 9


@pytest.mark.parametrize(
    ("length", "taken"),
    [(str(MAX_REQUEST_BYTES), True), (str(MAX_REQUEST_BYTES + 1), False), ("9" * 30, False)],
)
def test_a_body_that_says_it_is_too_large_is_not_begun(length: str, taken: bool) -> None:
    if taken:
        check_length(request(content_length=length))
    else:
        with pytest.raises(Unread):
            check_length(request(content_length=length))


async def test_a_body_that_stops_is_not_waited_for() -> None:
    stopped = Sender([b"ab"], ends=False)

    with pytest.raises(Unread) as refusal:
        await read_body(request(stopped), Patience(pause=0.01, whole=3600))

    assert refusal.value.code == "malformed"
    assert "too slowly" in refusal.value.detail


async def test_empty_pieces_are_no_progress() -> None:
    async def nothing() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": True}

    with pytest.raises(Unread):
        await read_body(
            Request({"type": "http", "headers": []}, nothing), Patience(pause=0.01, whole=3600)
        )


async def test_a_body_that_trickles_is_not_waited_for() -> None:
    async def trickle() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"a", "more_body": True}

    with pytest.raises(Unread) as refusal:
        await read_body(
            Request({"type": "http", "headers": []}, trickle), Patience(pause=3600, whole=0.01)
        )

    assert refusal.value.code == "malformed"


async def test_a_sender_that_goes_away_is_no_refusal() -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        await read_body(Request({"type": "http", "headers": []}, gone), PATIENT)
