"""Requests with events are answered from their connections, as by the long way, to the byte."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from starlette.requests import Request

from services.ingest import direct, intake
from services.ingest.core.bodies import BATCH, LINES, ONE
from services.ingest.core.plain_posts import Head, head_of
from services.ingest.reading import read_body
from shared.runtime.engine import Engine
from tests.builders import corrected, posted, published
from tests.integration.frontdesk import Frontdesk, frontdesk
from tests.waiting import until

#: What the short way leaves to the server, though it changes nothing.
UNUSUAL = "te: trailers"


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Frontdesk]:
    async with frontdesk(redis, engine.url) as made:
        yield made


@pytest.fixture
def long_way(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the bodies that go the long way."""
    bodies: list[bytes] = []

    async def noted(*words: Any) -> bytes:
        bodies.append(await read_body(*words))
        return bodies[-1]

    monkeypatch.setattr(intake, "read_body", noted)
    return bodies


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how much of a request was there each time that the short way looked at it."""
    found: list[int] = []

    def noted(data: bytes) -> Head | None:
        found.append(len(data))
        return head_of(data)

    monkeypatch.setattr(direct, "head_of", noted)
    return found


def request(body: bytes, *lines: str, media_type: str | None = ONE, token: str = "") -> bytes:
    head = ["POST /v1/events HTTP/1.1", "host: here", f"content-length: {len(body)}", *lines]
    head += [f"content-type: {media_type}"] if media_type else []
    head += [f"authorization: Bearer {token}"] if token else []
    return "\r\n".join([*head, "", ""]).encode() + body


async def answers(desk: Frontdesk, *sent: bytes) -> list[bytes]:
    """Send requests on one connection, each when the one before it is answered."""
    found = []
    async with desk._connection() as (reader, writer), asyncio.timeout(20):
        for each in sent:
            writer.write(each)
            found.append(await one_answer(reader))
    return found


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length
    return head + await reader.readexactly(int(length[1]))


def alike(answer: bytes) -> bytes:
    """Leave out what differs between two articles to which the same was done."""
    answer = re.sub(rb"date: [^\r]+", b"", answer)
    answer = re.sub(rb'"chain":"[0-9a-f]{40}"', b"", answer)
    return re.sub(rb"story-\d", b"", answer)


def event(envelope: Any) -> bytes:
    return orjson.dumps(envelope)


def script(slug: str, token: str) -> list[tuple[bytes, tuple[str, ...], str | None, str]]:
    """Return what a publisher may send of one article: bodies, lines, media types and tokens."""
    post = event(posted("u1", slug=slug, id="a", text="Crews reach the bridge."))
    many = [posted(f"m{n}", slug=slug, id=f"m{n}") for n in range(3)]
    lines = b"\n".join(map(event, [*many[:1], {"id": 3}])) + b"\nno event"
    ce = [f"ce-{name}: {value}" for name, value in posted("u2", slug=slug, id="b").items()
          if name != "data"]  # fmt: skip
    return [
        (post, (), ONE, token),  # unknown-article
        (event(published(slug=slug, id="p")), (), ONE, token),
        (post, (), ONE, token),
        (post, (), ONE, token),  # duplicate
        (post.replace(b"Crews", b"Nobody"), (), ONE, token),  # id-conflict
        (event(corrected("nowhere", slug=slug, id="c")), (), ONE, token),
        (b'{"text":"Second"}', tuple(ce), "application/json", token),
        (event(many), (), BATCH, token),
        (lines, (), LINES, token),
        (event(posted("u3", slug=slug, id="d") | {"baseversion": 1}), (), ONE, token),  # stale
        (post, ("writethru-durability: memory",), ONE, token),
        (post, ("writethru-durability: none",), ONE, token),
        (post, ("content-encoding: gzip",), ONE, token),
        (post, (), "text/plain", token),
        (post, (), None, token),
        (post, (), ONE, ""),
        (post, (), ONE, "wt_1f_wrong"),
        (b"", (), ONE, token),
        (b"[]", (), BATCH, token),
        (b'{"id":"a","id":"b"}', (), ONE, token),
        (b'{"data":{"text":1,"nope":2},"type":"writethru.update.posted"}', (), ONE, token),
        (b"\xff", (), ONE, token),
    ]


async def test_both_ways_give_the_same_bytes(desk, long_way):
    token = await desk.key("publish", "correct")
    one, other = script("story-1", token), script("story-2", token)

    short = await answers(desk, *(request(b, *more, media_type=m, token=t)
                                  for b, more, m, t in one))  # fmt: skip
    went_short = len(long_way)
    long = await answers(desk, *(request(b, *more, UNUSUAL, media_type=m, token=t)
                                 for b, more, m, t in other))  # fmt: skip

    assert went_short == 0
    # What is refused before its body is read, reads none.
    refused_before = 4
    assert len(long_way) == len(other) - refused_before
    assert list(map(alike, short)) == list(map(alike, long))
    assert {answer.split(b" ")[1] for answer in short} >= {b"202", b"207", b"400", b"401", b"409"}


async def test_a_body_that_comes_apart_from_its_head_goes_the_short_way(desk, long_way, looks):
    token = await desk.key("publish")
    whole = request(event(published()), token=token)
    head = whole.index(b"{")
    async with desk._connection() as (reader, writer):
        for start, end in ((0, head), (head, head + 1), (head + 1, len(whole))):
            writer.write(whole[start:end])
            await until(lambda: looks and looks[-1] == end)  # noqa: B023 -- awaited at once
        answer = await one_answer(reader)

    assert answer.startswith(b"HTTP/1.1 202 Accepted\r\n")
    assert not long_way


async def test_a_body_that_takes_its_time_goes_the_long_way(desk, long_way, monkeypatch):
    began: list[Request] = []
    monkeypatch.setattr(direct, "HOLD_SECONDS", 0.01)
    monkeypatch.setattr(intake, "check_length", began.append)
    token = await desk.key("publish")
    whole = request(event(published()), token=token)
    async with desk._connection() as (reader, writer):
        writer.write(whole[:-1])
        await until(lambda: began)
        writer.write(whole[-1:])
        answer = await one_answer(reader)

    assert answer.startswith(b"HTTP/1.1 202 Accepted\r\n")
    assert long_way == [event_of(whole)]


def event_of(sent: bytes) -> bytes:
    return sent.partition(b"\r\n\r\n")[2]


async def test_requests_sent_ahead_are_answered_in_their_order(desk):
    token = await desk.key("publish")
    sent = [published(), *(posted(f"u{n}") for n in range(5))]
    async with desk._connection() as (reader, writer):
        for each in sent:
            writer.write(request(event(each), token=token))
        writer.write(request(b"{", token=token) + request(event(posted("last")), token=token))
        found = [await one_answer(reader) for _ in range(len(sent) + 2)]

    seqs = [orjson.loads(event_of(each))["receipts"][0]["seq"] for each in found[:-2]]
    assert seqs == [1, 2, 3, 4, 5, 6]
    assert found[-2].startswith(b"HTTP/1.1 400 ")
    assert b'"seq":7' in found[-1]


async def test_who_leaves_in_the_middle_of_a_body_leaves_nothing(desk):
    token = await desk.key("publish")
    whole = request(event(published()), token=token)

    await desk.leave(whole[:-1])
    [answer] = await answers(desk, whole)

    assert b'"status":"accepted","seq":1' in answer


async def test_a_fault_of_ours_is_answered_and_ends_the_connection(desk, monkeypatch):
    async def fail(*_: Any) -> None:
        raise RuntimeError

    token = await desk.key("publish")
    monkeypatch.setattr(direct, "answer", fail)

    found = await desk.raw(request(event(published()), token=token))

    assert found.startswith(b"HTTP/1.1 503 ")
    assert b"durability-timeout" in found
