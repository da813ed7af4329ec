"""`writethru watch`: follows what a running writethru delivers, a line a change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
from rich.console import Console
from typer import Argument, Option

from services.cli.failure import Failure
from services.cli.remote import DELIVER, check_slug, client, unreachable
from services.cli.telling import Known, Told, after, known, one_line, thin, told
from services.cli.terminal import STYLES, show
from shared.runtime.clock import now

#: Deliver says something at least every few seconds; this long a silence is a dead connection.
SILENCE_SECONDS = 60.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0


def command(
    slug: Annotated[
        str | None,
        Argument(metavar="SLUG", help="The article; all of them if left out."),
    ] = None,
    key: Annotated[
        str | None, Option("--key", metavar="KEY", help="An API key, where not everybody may read.")
    ] = None,
    url: Annotated[str, Option("--from", metavar="URL", help="Where deliver is.")] = DELIVER,
) -> None:
    """Follow changes live, a line each, until Ctrl-C.

    A lost connection is taken up again where it was lost, so that no change is missed.
    """
    if slug is not None:
        check_slug(slug)
    asyncio.run(_watch(slug, url, key))


async def _watch(slug: str | None, url: str, key: str | None) -> None:
    async with client(url, "--from") as deliver:
        if key is not None:
            deliver.headers["authorization"] = f"Bearer {key}"
        if slug is None:
            await _watch_all(deliver, url)
        else:
            await _watch_one(deliver, url, slug)


async def _watch_one(deliver: httpx2.AsyncClient, url: str, slug: str) -> None:
    page = await _load(deliver, url, slug)
    if page is None:
        return
    last = _cursor(page.head)
    _say(f"{slug} is at version {page.head['version']}: {one_line(page.head['headline'])}")
    async for event in _follow(deliver, f"/articles/{slug}/live", url, last):
        change: Any = event.json()
        match event.event:
            case "change":
                for line in told(page, change):
                    _show(line, change["to"])
                page = after(page, change)
            case "reset":
                page = await _load(deliver, url, slug)
                if page is None:
                    return
                _show(Told("reset", slug, "the page was loaded again"), page.head["version"])
            case "killed":
                _show(Told("killed", slug, one_line(change["note"])))
                return


async def _watch_all(deliver: httpx2.AsyncClient, url: str) -> None:
    heads: dict[str, Any] = {}
    async for event in _follow(deliver, "/live", url, None):
        if event.event == "change":
            change: Any = event.json()
            _show(thin(heads.get(change["article"]), change), change["to"])
            heads[change["article"]] = change["head"]


async def _load(deliver: httpx2.AsyncClient, url: str, slug: str) -> Known | None:
    """Return the article as it stands; a killed one is shown as such, and None."""
    try:
        answer = await deliver.get(f"/articles/{slug}.json")
    except httpx2.TransportError:
        raise unreachable(url, "--from") from None
    if answer.status_code == httpx2.codes.GONE:
        _show(Told("killed", slug, one_line(answer.json()["note"])))
        return None
    _check_admitted(answer, url)
    if answer.status_code != httpx2.codes.OK:
        raise Failure(f"there is no article {slug} at {url}; {url}/ lists those there are")
    return known(answer.json())


async def _follow(
    deliver: httpx2.AsyncClient, path: str, url: str, last: str | None
) -> AsyncIterator[httpx2.ServerSentEvent]:
    """Yield the events of a stream, from *last* on, over as many connections as it takes."""
    pause, ever = FIRST_PAUSE_SECONDS, False
    while True:
        headers = {"accept": "text/event-stream"} | ({"last-event-id": last} if last else {})
        timeout = httpx2.Timeout(SILENCE_SECONDS, connect=5.0)
        try:
            async with deliver.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if answer.status_code == httpx2.codes.GONE:
                    yield httpx2.ServerSentEvent("killed", (await answer.aread()).decode())
                    return
                _check_admitted(answer, url)
                answer.raise_for_status()
                if not ever:
                    _say("following; Ctrl-C ends it")
                elif pause > FIRST_PAUSE_SECONDS:
                    _say("connected again")
                pause, ever = FIRST_PAUSE_SECONDS, True
                async for event in httpx2.EventSource(answer):
                    last = event.id or last
                    if event.data:  # else it only says how soon to come back
                        yield event
        except (httpx2.TransportError, httpx2.HTTPStatusError):
            if not ever:
                raise unreachable(url, "--from") from None
        if pause == FIRST_PAUSE_SECONDS:
            _say("the connection is lost; trying again")
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _check_admitted(answer: httpx2.Response, url: str) -> None:
    if answer.status_code in (httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN):
        raise Failure(f"{url} is for readers with a key that may read this; name it with --key")


def _cursor(head: Any) -> str:
    return f"{head['version']}.{head['chain'][:12]}"


def _say(line: str) -> None:
    """Say something about the watching itself, beside the changes."""
    show(Console(stderr=True), (line, "dim"))


def _show(line: Told, version: int | None = None) -> None:
    show(
        Console(),
        (now().astimezone().strftime("%H:%M:%S"), "dim"),
        f"  {'v' + str(version) if version else '':<5} ",
        (f"{line.act:<10}", STYLES.get(line.act, "blue")),
        f" {line.about:<12}  ",
        line.text,
    )
