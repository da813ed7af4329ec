"""Readers of pages that are in a deliver's memory, and what they get to the byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from services.deliver import memory as memories
from services.deliver.guard import Guard
from tests.integration.newsstand import Newsstand


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def memory_of(stand: Newsstand) -> memories.Memory:
    return cast("Guard", stand.server.config.app).memory


class Line:
    """A connection that stays, and what is sent on it to the byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def get(self, path: str, *lines: str, method: str = "GET") -> Answer:
        self.send(path, *lines, method=method)
        return await self.answer(method)

    def send(self, path: str, *lines: str, method: str = "GET") -> None:
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines]
        self.writer.write("\r\n".join([*head, "", ""]).encode())

    async def answer(self, method: str = "GET") -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        status = int(head[0].split()[1])
        bare = method == "HEAD" or status in (204, 304)
        size = 0 if bare else int(headers["content-length"])
        headers.pop("date")
        return Answer(status, headers, await self.reader.readexactly(size))


@dataclass
class Hot:
    """A newsstand whose pages are remembered from the first question on."""

    stand: Newsstand
    asked: list[str]

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.stand.port)
        try:
            yield Line(reader, writer)
        finally:
            writer.close()

    async def remembered(self, line: Line, path: str, *lines: str) -> Answer:
        """Ask until nobody but memory is asked, and return that answer."""
        async with asyncio.timeout(30):
            while True:
                before = self.long_ways
                answer = await line.get(path, *lines)
                if self.long_ways == before:
                    return answer

    @property
    def long_ways(self) -> int:
        return len(self.asked)
