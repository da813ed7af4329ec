"""A subscriber on a real socket that does as it is told, and keeps what it got."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.deliver.core.backoff import Schedule
from services.deliver.webhooks.courier import Timing
from services.deliver.webhooks.service import Pace
from tests.integration.newsstand import Newsstand
from tests.waiting import until

#: Ten attempts in no time, and a look whether something is due as often.
QUICK = Pace(Schedule(pauses=(0.0,) + (0.02,) * 9), Timing(lease=20.0, look=0.02, look_seldom=0.05))
LOOPBACK: dict[str, Any] = {"outbound_allow": "127.0.0.0/8"}

#: What a subscriber answers to its n-th request: a status, with headers if there are any.
Answers = Callable[[int], int | tuple[int, Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> Any:
        return orjson.loads(self.body)

    @property
    def data(self) -> Any:
        return self.said["data"]

    @property
    def steps(self) -> tuple[str, int, int]:
        """The article, and between which versions it went; a test message is about none."""
        return self.data.get("article", ""), self.data.get("from", 0), self.data.get("to", 0)


@dataclass
class Subscriber:
    """Listens on *port*; *answers* may be changed, and *hold* keeps every answer back."""

    answers: Answers = field(default=lambda _: 204)
    got: list[Received] = field(default_factory=list)
    hold: asyncio.Event | None = None
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def getting(self, many: int) -> Sequence[Received]:
        """Wait until there are *many* requests, and return all there are."""
        await until(lambda: len(self.got) >= many)
        return self.got

    async def getting_all_but_silence(self, stand: Newsstand, many: int) -> Sequence[Received]:
        """Wait until there are *many*, and nothing is left that any subscription is to be told."""
        await self.getting(many)
        await until(lambda: quiet(stand))
        return self.got

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                facts = dict(line.split(": ", 1) for line in head[1:] if line)
                headers = {name.lower(): value for name, value in facts.items()}
                body = await reader.readexactly(int(headers["content-length"]))
                self.got.append(Received(headers, body))
                answer = self.answers(len(self.got))
                if self.hold:
                    await self.hold.wait()
                status, more = answer if isinstance(answer, tuple) else (answer, {})
                lines = [f"HTTP/1.1 {status} So", "content-length: 0"]
                lines += [f"{name}: {value}" for name, value in more.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode())
                await writer.drain()
        writer.close()


async def quiet(stand: Newsstand) -> bool:
    """Whether no subscription is to be told anything more."""
    shown = (await stand.get("/v1/subscriptions", **stand_key(stand))).json()["subscriptions"]
    return all(each["waiting"] == 0 for each in shown)


def stand_key(stand: Newsstand) -> dict[str, str]:
    """Return the header that the last `subscribe` was made with."""
    return getattr(stand, "key", {})


@asynccontextmanager
async def subscriber(answers: Answers | int = 204) -> AsyncIterator[Subscriber]:
    """Listen on a free port for as long as the test lasts."""
    constant = answers
    listening = Subscriber(constant if callable(constant) else lambda _: constant)
    server = await asyncio.start_server(listening.serve, "127.0.0.1", 0)
    listening.port = server.sockets[0].getsockname()[1]
    try:
        yield listening
    finally:
        if listening.hold:
            listening.hold.set()
        server.close()


async def subscribe(stand: Newsstand, url: str, **wish: Any) -> dict[str, Any]:
    """Subscribe as everybody on this machine may."""
    answer = await ask(stand, "", url=url, **wish)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def ask(stand: Newsstand, path: str = "", **document: Any) -> Any:
    """Post *document* to a path of subscriptions."""
    return await stand.http.post(
        f"/v1/subscriptions{path}", json=document, headers=stand_key(stand)
    )


async def shown(stand: Newsstand, made: Mapping[str, Any], path: str = "") -> Any:
    """Return what is shown of a subscription."""
    answer = await stand.http.get(f"/v1/subscriptions/{made['id']}{path}", headers=stand_key(stand))
    assert answer.status_code == 200, answer.text
    return answer.json()
