"""`writethru redact`: the text of an update, destroyed wherever the installation holds it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from redis.asyncio import Redis
from typer import Argument, Option

from services.cli.failure import Failure, misused
from services.cli.options import settings
from services.cli.remote import check_slug
from services.cli.stored import DataDir, RedisUrl, installation
from services.ingest.append import Appender
from shared.contract.errors import InvalidEvent
from shared.contract.events import Event, parse_event
from shared.contract.receipts import Receipt
from shared.runtime.clock import monotonic, new_name
from shared.runtime.durability import Levels
from shared.runtime.installation import Installation
from shared.runtime.keys import Lane

SOURCE = "/writethru/redact"
PAUSE_SECONDS = 0.1


def command(
    slug: Annotated[str, Argument(metavar="SLUG")],
    update: Annotated[str, Argument(metavar="UPDATE", help="The update's id.")],
    note: Annotated[str, Option(help="What readers see in its place, such as why it is gone.")],
    wait: Annotated[
        float, Option(metavar="SECONDS", help="How long to wait until the text is destroyed.")
    ] = 60.0,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Retract an update for good, and destroy its text: in the ledger, too.

    The update's place, time and this note stay on the page. The stack has to be running. Backups,
    exports and what readers and subscribers have copied are out of reach.
    """
    event = _event(check_slug(slug), update, note)
    asyncio.run(_redact(event, wait, redis_url, data_dir))


def _event(slug: str, update: str, note: str) -> Event:
    envelope = {
        "specversion": "1.0",
        "id": new_name(),
        "source": SOURCE,
        "type": "writethru.update.redacted",
        "subject": slug,
        "data": {"update_id": update, "note": note},
    }
    try:
        return parse_event(envelope)
    except InvalidEvent as wrong:
        raise misused(
            "; ".join(f"{each.pointer}: {each.detail}" for each in wrong.errors)
        ) from None


async def _redact(event: Event, wait: float, redis_url: str | None, folder: Path | None) -> None:
    async with installation(redis_url, folder) as (redis, here):
        receipt = await _file(redis, here, event)
        print(f"{event.subject}: {_said(receipt, event)}", flush=True)
        if not await _destroyed(redis, here.lanes.of(event.subject), event.subject, wait):
            raise Failure(
                "its text is not destroyed yet, which the renderers do; see that one runs, and "
                f"ask again with writethru verify {event.subject}"
            )
    print(f"{event.subject}: the text is destroyed: in ledger, streams, pages, the engine's file")


async def _file(redis: Redis, here: Installation, event: Event) -> Receipt:
    level = settings().durability
    wait = Levels(level, level).wait()
    [receipt] = await Appender(redis, here, level).append([event], wait=wait)
    if receipt.problem is not None:
        raise Failure(receipt.problem["detail"])
    return receipt


def _said(receipt: Receipt, event: Event) -> str:
    if receipt.seq is None:
        return f"update {event.update_id}, which was held, is spiked"
    return f"update {event.update_id} is redacted, by event {receipt.seq}"


async def _destroyed(redis: Redis, lane: Lane, slug: str, wait: float) -> bool:
    limit = monotonic() + wait
    while await _left(redis, lane, slug):
        if monotonic() > limit:
            return False
        await asyncio.sleep(PAUSE_SECONDS)
    return True


async def _left(redis: Redis, lane: Lane, slug: str) -> bool:
    notes: Any = await redis.smembers(lane.redactions)
    return any(note.decode().rpartition(" ")[0] == slug for note in notes)
