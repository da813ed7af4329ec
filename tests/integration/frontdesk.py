"""An ingest service on a real port, as its own module serves it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import orjson
from fastapi import FastAPI
from redis.asyncio import Redis

from services.ingest.__main__ import server
from services.ingest.app import create_app
from services.ingest.core.bodies import BATCH, LINES, ONE
from services.ingest.reading import Patience
from shared.contract.access import Scope
from shared.runtime.api_keys import create
from shared.runtime.settings import Settings
from tests.builders import Envelope
from tests.waiting import until

LANES = 2
PATIENCE_SECONDS = 20.0


@dataclass
class Frontdesk:
    """What a test of ingest needs: the app, its engine, its port, and a client."""

    app: FastAPI
    redis: Redis
    port: int
    http: httpx2.AsyncClient

    async def post(
        self, body: bytes, media_type: str = ONE, token: str | None = None, **headers: str
    ) -> httpx2.Response:
        """Send *body* to `/v1/events`; *headers* have underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"content-type": media_type} | bearer(token) | named
        return await self.http.post("/v1/events", content=body, headers=named)

    async def file(self, *events: Envelope, token: str | None = None) -> httpx2.Response:
        """File *events*: one by itself, several as a batch."""
        if len(events) == 1:
            return await self.post(orjson.dumps(events[0]), ONE, token)
        return await self.post(orjson.dumps(events), BATCH, token)

    async def file_lines(self, *lines: bytes, token: str | None = None) -> httpx2.Response:
        return await self.post(b"\n".join(lines), LINES, token)

    async def statuses(self, *events: Envelope, token: str | None = None) -> list[str]:
        """File *events* and return what became of each: its status, or its problem's code."""
        receipts = (await self.file_lines(*map(orjson.dumps, events), token=token)).json()
        return [said(receipt) for receipt in receipts["receipts"]]

    async def events(self, slug: str, after: int | None = None, token: str | None = None) -> Any:
        query = {} if after is None else {"after": str(after)}
        path = f"/v1/articles/{slug}/events"
        return await self.http.get(path, params=query, headers=bearer(token))

    async def key(self, *scopes: Scope, **limits: Any) -> str:
        """Make a key with such patterns, or such an end, and return its token."""
        return (await create(self.redis, "a newsroom", scopes, **limits))[1]

    def be_patient_for(self, **seconds: float) -> None:
        intake = self.app.state.intake
        self.app.state.intake = replace(intake, patience=Patience(**seconds))

    async def raw(self, *pieces: bytes) -> bytes:
        """Send *pieces* as they are, and return all that comes until the connection is closed."""
        async with self._connection() as (reader, writer), asyncio.timeout(PATIENCE_SECONDS):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()

    async def trickle(self, head: bytes, body: bytes) -> bytes:
        """Send *body* a byte at a time, too slowly ever to end, until an answer begins."""
        async with self._connection() as (reader, writer), asyncio.timeout(PATIENCE_SECONDS):
            writer.write(head)
            beginning = asyncio.create_task(reader.read(65_536))
            for byte in body:
                writer.write(bytes([byte]))
                await asyncio.wait({beginning}, timeout=0.1)
                if beginning.done():
                    break
            return await beginning + await reader.read()

    async def leave(self, piece: bytes) -> None:
        """Send *piece*, and close the connection."""
        async with self._connection() as (_, writer):
            writer.write(piece)
            await writer.drain()

    @asynccontextmanager
    async def hanging(self, piece: bytes) -> AsyncIterator[None]:
        """Send *piece*, and nothing more for the while."""
        async with self._connection() as (_, writer):
            writer.write(piece)
            await writer.drain()
            yield

    @asynccontextmanager
    async def _connection(
        self,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


def said(receipt: Mapping[str, Any]) -> str:
    return str(receipt.get("problem", {}).get("code") or receipt["status"])


def bearer(token: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


@asynccontextmanager
async def frontdesk(redis: Redis, url: str, **settings: Any) -> AsyncIterator[Frontdesk]:
    """Serve ingest on a free port, for as long as the test lasts; without *no_auth*, with keys."""
    app = create_app(Settings(redis_url=url, lanes=LANES, **settings))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with app.router.lifespan_context(app):
            running = server(app)
            serving = asyncio.create_task(running.serve([listener]))
            base = f"http://127.0.0.1:{port}"
            try:
                async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=20) as http:
                    await until(lambda: running.started)
                    yield Frontdesk(app, redis, port, http)
            finally:
                running.should_exit = True
                await serving
