"""`/healthz` and `/readyz`: whether this process lives, and whether it should be sent events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from redis.asyncio import Redis
from starlette.responses import PlainTextResponse, Response

from services.ingest.inbox import Inbox
from services.ingest.release import Releaser
from services.ingest.ticking import Clock
from shared.runtime.health import Check, check_engine, report
from shared.runtime.lanes import Lanes

_UNKEPT = {"cache-control": "no-store"}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Probed:
    """What readiness looks at."""

    redis: Redis
    lanes: Lanes
    inbox: Inbox
    releaser: Releaser
    clock: Clock

    async def checks(self) -> Mapping[str, Check]:
        """Look whether the engine answers, pages keep up, and our own loops run."""
        ours = {"inbox": self.inbox.check(), "releases": self.releaser.check()}
        ours["sources"] = self.clock.check()
        return {**await check_engine(self.redis, self.lanes), **ours}


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def health() -> Response:
    """Answer, which is all that being alive takes."""
    return PlainTextResponse("ok\n", headers=_UNKEPT)


@router.api_route("/readyz", methods=["GET", "HEAD"])
async def readiness(request: Request) -> Response:
    """Say whether events should be sent here, and if not, why."""
    probed: Probed = request.app.state.probed
    status, body = report(await probed.checks())
    return Response(body, status, _UNKEPT, "application/json")
