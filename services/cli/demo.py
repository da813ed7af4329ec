"""`writethru demo`: the whole stack on a folder of its own, and a coverage played into it."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import httpx2
import orjson
from rich.console import Console
from typer import Exit, Option

from services.cli import coverage, foreground, second_act
from services.cli.failure import Failure
from services.cli.options import address, is_set, listening, settings
from services.cli.sending import Sender
from services.cli.stack import Plan, Stack, refusal, running
from services.cli.telling import one_line
from services.cli.terminal import STYLES, put, show
from services.cli.wire import Wire, serving
from shared.article.dates import parse_rfc3339
from shared.runtime.clock import monotonic, now
from shared.runtime.settings import Listen

HOST, INGEST_PORT, DELIVER_PORT = "127.0.0.1", 8000, 8080
#: Time enough to open the page, and then to read an update before the next one comes.
FIRST_PAUSE_SECONDS, PAUSE_SECONDS = 6.0, 2.0
RENDER_SECONDS = 30.0
_LOOK_SECONDS = 0.02


def command(
    once: Annotated[
        bool,
        Option("--once", metavar="", help="Play to the end, print the finished page, and exit."),
    ] = False,
    speed: Annotated[
        float, Option(metavar="X", min=0.01, max=1000, help="Play X times as fast.")
    ] = 1.0,
) -> None:
    """See it work: start everything, and watch a sample coverage in your browser.

    Then an article that updates itself, from a wire that the demo serves. Engine, ingest, render
    and deliver run until Ctrl-C, on data that is thrown away in the end.
    """
    demo = _Demo(Console(stderr=once), once, speed)
    if (stopped := foreground.run(demo.run)) and once:
        raise Exit(128 + stopped)


@dataclass(frozen=True, slots=True)
class _Demo:
    """One demonstration, told on *console*."""

    console: Console
    once: bool
    speed: float

    async def run(self) -> None:
        """Show it all; the data goes when everything that writes it has ended."""
        with TemporaryDirectory(prefix="writethru-demo-") as folder:
            self._say("starting engine, ingest, render and deliver")
            async with running(_plan(Path(folder)), self._say) as stack:
                await stack.supervisor.during(self._show(stack))
                self._say("stopping")

    async def _show(self, stack: Stack) -> None:
        slug = await self._play(stack)
        page = f"{stack.deliver}/articles/{slug}"
        if self.once:
            put(await _text(page))
            return
        show(self.console)
        self._say("the coverage is complete, and the page stays open; Ctrl-C stops everything")
        async with serving(HOST) as wire:
            await self._second_act(stack, wire)
            self._say(f"to file your own: writethru publish FILE --to {stack.ingest}")
            await asyncio.get_running_loop().create_future()

    async def _second_act(self, stack: Stack, wire: Wire) -> None:
        """Open an article that lives from a wire, and tell what is pulled from there."""
        cadence = max(1, round(second_act.CADENCE_SECONDS / self.speed))
        page = f"{stack.deliver}/articles/{second_act.SLUG}"
        async with Sender(stack.ingest) as sender:
            version = await _file(sender, second_act.opening(wire.url, cadence))
        await _rendered(page, version)
        self._say(f"nobody files for the next one: it is pulled from a wire every {cadence} s")
        self._invite(page)
        act = second_act.SecondAct(wire, page, cadence)
        await act.play(self._tell_pulled)
        show(self.console)
        late = f"after {act.overdue_seconds} s without news its page says so"
        self._say(f"the wire has fallen silent; {late}")

    async def _play(self, stack: Stack) -> str:
        """File the coverage, and return its article's slug when the page has it all."""
        events = coverage.load()
        slug, version = str(events[0]["subject"]), 0
        page = f"{stack.deliver}/articles/{slug}"
        async with Sender(stack.ingest) as sender:
            for event in events:
                filed = event if self.once else coverage.filed_at(event, now())
                version = await _file(sender, filed)
                if opens := version == 1:
                    await _rendered(page, version)
                    self._invite(page)
                self._tell(filed)
                await self._pause(FIRST_PAUSE_SECONDS if opens else PAUSE_SECONDS)
        await _rendered(page, version)
        return slug

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(0 if self.once else seconds / self.speed)

    def _invite(self, page: str) -> None:
        show(self.console)
        show(self.console, "  Open  ", (page, "bold cyan"))
        show(self.console)

    def _tell(self, event: coverage.Event) -> None:
        act = coverage.act(event)
        at = parse_rfc3339(event["time"])
        at = at if self.once else at.astimezone()
        show(
            self.console,
            (f"  {at:%H:%M:%S}  ", "dim"),
            (f"{coverage.WORDS[act]:<18}", STYLES.get(act, "blue")),
            f"  {coverage.gist(event)}",
        )

    def _tell_pulled(self, update: dict[str, Any]) -> None:
        at = now().astimezone()
        word = (f"{'pulled':<18}", "blue")
        show(self.console, (f"  {at:%H:%M:%S}  ", "dim"), word, f"  {one_line(update['text'])}")

    def _say(self, line: str) -> None:
        show(self.console, f"writethru: {line}")


def _plan(folder: Path) -> Plan:
    ingest, deliver = _free(INGEST_PORT), _free(DELIVER_PORT)
    chosen = settings(
        ingest_listen=listening(HOST, ingest),
        deliver_listen=listening(HOST, deliver),
        public_url=address(Listen(host=HOST, port=deliver)),
        no_auth="true",
        outbound_allow=f"{HOST}/32",  # where the wire of the second act is, and nowhere else
        log_level=None if is_set("log_level") else "warning",
    )
    return Plan(chosen, folder / "data")


def _free(port: int) -> int:
    """Return *port*, or another one if it is taken."""
    if refusal(Listen(host=HOST, port=port)) is None:
        return port
    with socket.create_server((HOST, 0)) as probe:
        other: int = probe.getsockname()[1]
        return other


async def _file(sender: Sender, event: coverage.Event) -> int:
    async for receipt in sender.file([orjson.dumps(event).decode()]):
        if "seq" not in receipt:
            why = receipt.get("problem", {}).get("detail", receipt["status"])
            raise Failure(f"the sample coverage was not accepted: {why}")
        return int(receipt["seq"])
    raise AssertionError("one event, one receipt")


async def _rendered(page: str, version: int) -> None:
    """Wait until the page has *version*.

    Raises:
        Failure: it takes too long.
    """
    deadline = monotonic() + RENDER_SECONDS
    async with httpx2.AsyncClient(trust_env=False) as client:
        while await _version(client, page) < version:
            if monotonic() > deadline:
                raise Failure(f"{page} is still behind after {RENDER_SECONDS:.0f} s; try again")
            await asyncio.sleep(_LOOK_SECONDS)


async def _version(client: httpx2.AsyncClient, page: str) -> int:
    answer = await client.get(f"{page}.json")
    return int(answer.json()["version"]) if answer.status_code == httpx2.codes.OK else 0


async def _text(page: str) -> bytes:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return (await client.get(f"{page}.txt")).raise_for_status().content
