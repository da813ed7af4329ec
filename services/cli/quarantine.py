"""`writethru quarantine`: events that could not be folded, and another try once that is mended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
from redis.asyncio import Redis
from typer import Argument, Option

from services.cli.failure import Failure
from services.cli.options import settings
from services.cli.quarantined import Quarantined, by_article, read_event, read_marked, read_shown
from services.cli.saying import say
from services.cli.stored import DataDir, RedisUrl, Slugs, installation
from services.cli.telling import counted, one_line
from services.cli.terminal import columns
from services.render.core.filed import LedgerError
from services.render.core.trust import DistrustedError
from services.render.store import Store
from shared.contract.errors import Busy
from shared.runtime import log
from shared.runtime.archive import ArchiveError
from shared.runtime.installation import Installation
from shared.runtime.ledgers import Ledgers
from shared.runtime.restore import Restorer

_T = TypeVar("_T")

_HEADINGS = ("ARTICLE", "SEQ", "ID", "SOURCE", "TYPE", "WHY", "FOLD")

Json = Annotated[bool, Option("--json", metavar="", help="As JSON, one object a line.")]


def overview() -> None:
    """See events that could not be folded and so have no effect; fold them again after a fix.

    It may run while the stack does.
    """


def list_(json: Json = False, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """List such events, without their text."""
    found = _with_installation(redis_url, data_dir, _identified)
    if json:
        for each in found:
            print(orjson.dumps(_facts(each)).decode())
        return
    if not found:
        say("nothing is in quarantine")
    for line in columns([_HEADINGS, *map(_row, found)]) if found else ():
        print(line)


def show(
    slug: Annotated[str, Argument(metavar="SLUG", help="Its article.")],
    seq: Annotated[int, Argument(metavar="SEQ", help="Its number, as `quarantine list` shows it.")],
    json: Json = False,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Show one such event whole, but for what was taken back since."""

    async def run(redis: Redis, here: Installation) -> Quarantined:
        for each in await read_marked(redis, here.lanes):
            if (each.article, each.seq) == (slug, seq):
                return replace(each, event=await read_shown(_ledgers(redis, here), slug, seq))
        raise Failure(f"event {seq} of {slug} is not in quarantine; see writethru quarantine list")

    found = _with_installation(redis_url, data_dir, run)
    if json:
        print(orjson.dumps({**_facts(found), "event": found.event or None}).decode())
        return
    print(f"event {seq} of {slug}: {found.why}, by fold {found.revision}")
    if not found.event:
        raise Failure(f"the ledger's entry {seq} of {slug} can't be read; see writethru verify")
    print(f"{found.event['id']} of {found.event['source']}: {found.event['type']}")
    for name, value in found.event["data"].items():
        print(f"{name}: {value if isinstance(value, str) else orjson.dumps(value).decode()}")


def requeue(
    slugs: Slugs = None, json: Json = False, redis_url: RedisUrl = None, data_dir: DataDir = None
) -> None:
    """Fold articles that have such events again, after a fix; readers get what has changed.

    Exits with 1 if an event can't be folded even now.
    """
    log.configure("quarantine", "error")

    async def run(redis: Redis, here: Installation) -> int:
        chosen = await _chosen(redis, here, slugs or [])
        store = Store(redis, here.lanes, warm=1, archive=settings().archive)
        many = 0
        for slug, before in chosen.items():
            left = await _requeue(redis, here, store, slug)
            _tell(slug, max(len(before) - len(left), 0), left, json=json)
            many += len(left)
        return many

    if many := _with_installation(redis_url, data_dir, run):
        raise Failure(
            f"{counted(many, 'event')} in quarantine even now; run the version that has the fix, "
            "or file what they meant once more, under another id"
        )


#: The subcommands, by their names.
ACTIONS: dict[str, Callable[..., None]] = {"list": list_, "show": show, "requeue": requeue}


def _with_installation(
    redis_url: str | None,
    data_dir: Path | None,
    work: Callable[[Redis, Installation], Awaitable[_T]],
) -> _T:
    async def run() -> _T:
        async with installation(redis_url, data_dir) as (redis, here):
            return await work(redis, here)

    try:
        return asyncio.run(run())
    except Busy as busy:
        raise Failure(busy.detail) from None
    except ValueError as error:
        raise Failure(f"{error}; restore the engine's data from a backup") from None


def _ledgers(redis: Redis, here: Installation) -> Ledgers:
    return Ledgers(redis, here.lanes, settings().archive)


async def _identified(redis: Redis, here: Installation) -> list[Quarantined]:
    ledgers = _ledgers(redis, here)
    return [
        replace(each, event=await read_event(ledgers, each.article, each.seq))
        for each in await read_marked(redis, here.lanes)
    ]


async def _chosen(
    redis: Redis, here: Installation, slugs: Sequence[str]
) -> dict[str, list[Quarantined]]:
    """Return what is to be tried again, by article: of *slugs*, or of all."""
    found = by_article(await read_marked(redis, here.lanes))
    if missing := [slug for slug in slugs if slug not in found]:
        raise Failure(f"no event of {missing[0]} is in quarantine; see writethru quarantine list")
    if not found:
        say("nothing is in quarantine")
    return {slug: found[slug] for slug in slugs} if slugs else found


async def _requeue(redis: Redis, here: Installation, store: Store, slug: str) -> list[Quarantined]:
    """Fold one article anew, and return what can't be folded even now."""
    try:
        await Restorer(redis, settings().archive).restore(here.lanes.of(slug).article(slug))
        await store.rebuild(slug)
    except (ArchiveError, LedgerError, DistrustedError) as error:
        raise Failure(f"{slug}: {error}") from None
    return by_article(await read_marked(redis, here.lanes)).get(slug, [])


def _tell(slug: str, folded: int, left: Sequence[Quarantined], *, json: bool) -> None:
    if json:
        still = [{"seq": each.seq, "why": each.why} for each in left]
        print(orjson.dumps({"article": slug, "folded": folded, "left": still}).decode(), flush=True)
        return
    if folded:
        print(f"{slug}: {counted(folded, 'event')} folded", flush=True)
    for each in left:
        print(f"{slug}: event {each.seq} can't be folded even now: {each.why}", flush=True)


def _row(each: Quarantined) -> tuple[str, ...]:
    names = [one_line(str(each.event.get(name, "?"))) for name in ("id", "source", "type")]
    return each.article, str(each.seq), *names, each.why, str(each.revision)


def _facts(each: Quarantined) -> dict[str, Any]:
    return {
        "article": each.article,
        "seq": each.seq,
        "id": each.event.get("id"),
        "source": each.event.get("source"),
        "type": each.event.get("type"),
        "why": each.why,
        "fold": each.revision,
    }
