"""`writethru held`: what is stored and not yet released, and an editor's word on it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from math import isinf
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
from typer import Argument, Option

from services.cli.failure import Failure
from services.cli.saying import say
from services.cli.stored import DataDir, RedisUrl, installation
from services.cli.telling import one_line
from services.cli.terminal import columns
from services.ingest.core.holding import CHECK, Held
from services.ingest.core.legality import explain
from services.ingest.desk import Desk
from services.ingest.release import Outcome
from shared.article.dates import rfc3339
from shared.contract.events import parse_event

_T = TypeVar("_T")

_HEADINGS = ("ID", "ARTICLE", "ACT", "UPDATE", "RELEASED")

EventId = Annotated[str, Argument(metavar="ID", help="The event's id, as `held list` shows it.")]
Article = Annotated[
    str | None, Option(metavar="SLUG", help="Its article, where several have such an id.")
]
Source = Annotated[
    str | None, Option(metavar="SOURCE", help="Its source, where several have such an id.")
]
Json = Annotated[bool, Option("--json", metavar="", help="As JSON, one object a line.")]


def overview() -> None:
    """See what is held under embargo or by a desk check; release it, or spike it.

    It may run while the stack does. A release breaks an embargo; a spike is for good.
    """


def list_(
    article: Annotated[
        str | None, Argument(metavar="SLUG", help="Of this article only.", show_default=False)
    ] = None,
    json: Json = False,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """List what is held and until when, without its text."""
    held = _with_desk(redis_url, data_dir, lambda desk: desk.held())
    held = [each for each in held if article in (None, each.article)]
    if json:
        for each in held:
            print(orjson.dumps(_facts(each)).decode())
        return
    if not held:
        say("nothing is held")
    for line in columns([_HEADINGS, *map(_row, held)]) if held else ():
        print(line)


def show(
    event_id: EventId,
    article: Article = None,
    source: Source = None,
    json: Json = False,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Show one held event whole: why it is held, what was found in it, and its text."""
    held = _with_desk(redis_url, data_dir, lambda desk: _find(desk, event_id, article, source))
    if json:
        print(orjson.dumps({**_facts(held), "event": held.event}).decode())
        return
    print(f"{held.event_id} of {held.source}: {held.act} of {held.article}")
    print(f"filed {_time(held.recorded)}; released {_until(held)}")
    for finding in held.findings:
        print(f"found at {finding['pointer']}, {finding['check']}: {one_line(finding['detail'])}")
    for name, value in held.event["data"].items():
        print(f"{name}: {value if isinstance(value, str) else orjson.dumps(value).decode()}")


def release(
    event_id: EventId,
    article: Article = None,
    source: Source = None,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Release one held event now, with what builds on it.

    One that a check has stopped is approved by this: if it is under embargo too, it waits for that.
    """

    async def run(desk: Desk) -> tuple[Held, Sequence[Outcome]]:
        held = await _find(desk, event_id, article, source)
        return held, await desk.release(held)

    _tell(*_with_desk(redis_url, data_dir, run))


def spike(
    event_id: EventId,
    article: Article = None,
    source: Source = None,
    yes: Annotated[bool, Option("--yes", metavar="", help="Don't ask.")] = False,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Take one held event out for good, with what builds on it. It was never published."""

    async def run(desk: Desk) -> Sequence[str]:
        held = await _find(desk, event_id, article, source)
        if not (yes or _confirmed(held)):
            raise Failure("nothing was spiked")
        return await desk.spike(held)

    names = _with_desk(redis_url, data_dir, run)
    if not names:
        raise _gone(event_id)
    for name in names:
        say(f"{name.partition(' ')[0]} is spiked")


#: The subcommands, by their names.
ACTIONS: dict[str, Callable[..., None]] = {
    "list": list_,
    "show": show,
    "release": release,
    "spike": spike,
}


def _with_desk(
    redis_url: str | None, data_dir: Path | None, work: Callable[[Desk], Awaitable[_T]]
) -> _T:
    async def run() -> _T:
        async with installation(redis_url, data_dir) as (redis, here):
            return await work(Desk(redis, here.lanes))

    try:
        return asyncio.run(run())
    except ValueError as error:
        raise Failure(f"{error}; restore the engine's data from a backup") from None


async def _find(desk: Desk, event_id: str, article: str | None, source: str | None) -> Held:
    found = [
        each
        for each in await desk.held()
        if each.event_id == event_id
        and article in (None, each.article)
        and source in (None, each.source)
    ]
    if not found:
        raise _gone(event_id)
    if len(found) > 1:
        named = ", ".join(f"{each.article} from {each.source}" for each in found)
        raise Failure(
            f"{len(found)} held events are called {event_id}: {named}; "
            "say which with --article and --source"
        )
    return found[0]


def _gone(event_id: str) -> Failure:
    return Failure(f"no event {event_id} is held; see writethru held list")


def _confirmed(held: Held) -> bool:
    """Ask whoever sits at a terminal; a program has said what it wants."""
    if not sys.stdin.isatty():
        return True
    print(f"Spike {held.event_id}, {held.act} of {held.article}, for good? [y/N] ", end="")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell(held: Held, outcomes: Sequence[Outcome]) -> None:
    """Say what became of *held*, and of what builds on it."""
    for each in outcomes:
        event_id = each.name.partition(" ")[0]
        match each.result:
            case "released":
                say(f"{event_id} is released, as event {each.detail} of {held.article}")
            case "lifted":
                say(f"{event_id} may be released now; its time is {_when(float(each.detail))}")
            case "behind":
                raise Failure(f"{event_id} waits for {held.behind}; release that")
            case "stopped" if each.name == held.name:
                why = explain(each.detail, parse_event(held.event), None)
                raise Failure(f"{event_id} stays held, {each.detail}: {why}")
            case "stopped":
                say(f"{event_id} stays held: {each.detail}")
            case _:
                raise _gone(event_id)


def _row(held: Held) -> tuple[str, ...]:
    return held.event_id, held.article, held.act, held.update_id, _until(held)


def _facts(held: Held) -> dict[str, Any]:
    return {
        "article": held.article,
        "id": held.event_id,
        "source": held.source,
        "type": held.event["type"],
        "update_id": held.update_id or None,
        "reason": _reason(held),
        "until": None if isinf(held.at) else _time(held.at),
        "embargo_until": held.event["data"].get("embargo_until"),
        "behind": held.behind,
        "filed": _time(held.recorded),
        "findings": held.findings,
    }


def _reason(held: Held) -> str:
    """Return why it is held: what an editor has to look at before what time will bring."""
    if held.stop:
        return held.stop
    return "embargo" if held.behind is None or held.at == held.due else "behind"


def _until(held: Held) -> str:
    if held.stop == CHECK:
        return f"when an editor releases it: {', '.join(_checks(held)) or 'a desk check'}"
    if held.stop:
        return f"when an editor releases it: {held.stop}"
    return f"with {held.behind}" if _reason(held) == "behind" else _when(held.at)


def _checks(held: Held) -> Sequence[str]:
    """Return the checks that found something in it, each once, in the order of their findings."""
    return list(dict.fromkeys(str(each["check"]) for each in held.findings))


def _when(at: float) -> str:
    return "when what it builds on is" if isinf(at) else _time(at)


def _time(milliseconds: float) -> str:
    return rfc3339(datetime.fromtimestamp(milliseconds / 1e3, UTC))
