"""`writethru up`: the stack for real use on one machine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Annotated

from rich.console import Console
from typer import Option

from services.cli import foreground
from services.cli.failure import misused
from services.cli.options import address, is_set, listening, settings
from services.cli.stack import Plan, Stack, running
from services.cli.terminal import show
from shared.runtime import log
from shared.runtime.settings import Listen, Settings

_DATA = Path("data")


def _default(value: str) -> str:
    """Say *value* as Typer says a default; these are None, since the environment comes first."""
    return rf"\[default: {value}]"


def command(
    data_dir: Annotated[
        Path | None,
        Option(metavar="DIR", help=f"Where its own engine keeps its data. {_default('./data')}"),
    ] = None,
    redis_url: Annotated[
        str | None, Option(metavar="URL", help="An engine that runs, instead of the embedded one.")
    ] = None,
    host: Annotated[
        str | None,
        Option(metavar="HOST", help=f"The address to listen on. {_default('127.0.0.1')}"),
    ] = None,
    ingest_port: Annotated[
        int | None,
        Option(
            metavar="PORT", min=1, max=65535, help=f"Where events are filed. {_default('8000')}"
        ),
    ] = None,
    deliver_port: Annotated[
        int | None,
        Option(
            metavar="PORT", min=1, max=65535, help=f"Where articles are read. {_default('8080')}"
        ),
    ] = None,
    workers: Annotated[
        int, Option(metavar="N", min=1, max=64, help="How many render processes.")
    ] = 1,
    no_auth: Annotated[
        bool,
        Option(
            "--no-auth", metavar="", help="Let everybody on this machine publish without a key."
        ),
    ] = False,
) -> None:
    """Run the stack for real use on one machine, until Ctrl-C.

    Engine, ingest, render and deliver in one go; what dies is started again.
    Options go before what the environment sets (WRITETHRU_...).
    """
    if data_dir and redis_url:
        raise misused("--data-dir is for the embedded engine; leave it out with --redis-url")
    chosen = _chosen(redis_url, host, ingest_port, deliver_port, no_auth)
    embedded = data_dir or (None if redis_url or is_set("redis_url") else _DATA)
    plan = Plan(chosen, embedded, workers)
    log.configure("up", "error")  # what the services warn of they say themselves
    foreground.run(lambda: _up(plan))
    _say("stopped")


def _chosen(
    redis_url: str | None, host: str | None, ingest: int | None, deliver: int | None, no_auth: bool
) -> Settings:
    """Return the settings, an option before what the environment says.

    Raises:
        Failure: they don't go together.
    """
    base = settings()
    ingest_listen = _listen(base.ingest_listen, host, ingest)
    deliver_listen = _listen(base.deliver_listen, host, deliver)
    if ingest_listen == deliver_listen:
        raise misused("--ingest-port and --deliver-port must differ")
    if (no_auth or base.no_auth) and not ingest_listen.loopback:
        raise misused(
            f"--no-auth would let everybody who reaches {ingest_listen.host} publish; "
            "use it with --host 127.0.0.1 only"
        )
    return settings(
        redis_url=redis_url,
        ingest_listen=listening(ingest_listen.host, ingest_listen.port),
        deliver_listen=listening(deliver_listen.host, deliver_listen.port),
        public_url=None if is_set("public_url") else address(deliver_listen),
        no_auth="true" if no_auth else None,
        # The terminal is for what needs somebody; whoever wants more has asked for it.
        log_level=None if is_set("log_level") else "warning",
    )


def _listen(base: Listen, host: str | None, port: int | None) -> Listen:
    return Listen(host=host or base.host, port=port or base.port)


async def _up(plan: Plan) -> None:
    _say("starting")
    async with running(plan, _say) as stack:
        _announce(plan, stack)
        try:
            await stack.supervisor.during(asyncio.get_running_loop().create_future())
        finally:
            _say("stopping")


def _announce(plan: Plan, stack: Stack) -> None:
    data = f"data in {plan.data_dir}" if plan.data_dir else ""
    rows = [
        ("ingest", stack.ingest, "newsroom systems file events here"),
        ("deliver", stack.deliver, "readers and subscribers"),
        ("engine", _public(stack.settings.redis_url), data),
        *_metrics(stack),
    ]
    width = max(len(url) for _, url, _ in rows)
    console = Console()
    show(console)
    for name, url, what in rows:
        show(console, f"  {name:<9}", (f"{url:<{width}}", "bold cyan"), f"  {what}")
    show(console)
    if not (stack.settings.no_auth or stack.has_keys):
        _say("no API keys exist yet, so publishing is refused (401)")
        _say(f"to make one: writethru keys create NAME --scope publish{_engine_of(plan)}")
        _say("to let everybody on this machine publish: writethru up --no-auth")
    if not stack.settings.deliver_listen.loopback and not is_set("public_url"):
        _say(f"links begin with {stack.deliver}; WRITETHRU_PUBLIC_URL says what readers use")
    _say("ready; Ctrl-C stops everything")


def _metrics(stack: Stack) -> Iterator[tuple[str, str, str]]:
    """Yield a row for each internal port that is known; port 0 is whichever was free."""
    label = "metrics"
    for name, listen in sorted(stack.ports.given.items(), key=lambda each: each[1].port):
        if listen.port:
            yield label, f"{address(listen)}/metrics", name
            label = ""


def _engine_of(plan: Plan) -> str:
    """Return how another command finds the engine; its address may hold a password."""
    if plan.data_dir is None:
        return "" if is_set("redis_url") else " --redis-url URL"
    return "" if plan.data_dir == _DATA else f" --data-dir {quote(str(plan.data_dir))}"


def _public(url: str) -> str:
    """Return *url* without its password."""
    return re.sub(r"//[^/@]*@", "//", url)


def _say(line: str) -> None:
    print(f"writethru: {line}", flush=True)
