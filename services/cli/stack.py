"""The stack on one machine: an engine, and the three services around it, until all are well."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from redis.exceptions import RedisError

from services.cli.failure import WRONG_SETTING, Failure
from services.cli.options import address, environment
from services.cli.ports import Ports
from services.cli.supervise import Part, Say, Supervisor
from shared.runtime.clock import monotonic
from shared.runtime.data_folder import ADDRESS
from shared.runtime.durability import levels_of
from shared.runtime.engine import Engine
from shared.runtime.engine_binary import EngineError
from shared.runtime.installation import open_installation
from shared.runtime.keys import API_KEYS
from shared.runtime.redis import connect
from shared.runtime.settings import Listen, Settings, SettingsError
from shared.runtime.tls import misfit

ANSWER_SECONDS = 60.0
TELL_SECONDS = 10.0
_LOOK_SECONDS = 0.05
_SILENT = "it does not answer"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. Without *data_dir* the engine is the one that *settings* name."""

    settings: Settings
    data_dir: Path | None
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that is well. *settings* are what its services run with."""

    settings: Settings
    supervisor: Supervisor
    has_keys: bool
    """Whether anybody was ever given an API key."""
    ports: Ports
    """Where each process shows its metrics."""

    @property
    def ingest(self) -> str:
        """Where events are filed."""
        return address(self.settings.ingest_listen)

    @property
    def deliver(self) -> str:
        """Where articles are read."""
        return address(self.settings.deliver_listen)


@asynccontextmanager
async def running(plan: Plan, say: Say) -> AsyncIterator[Stack]:
    """Start the stack, wait until it is ready, and stop it in the end.

    Raises:
        Failure: it can't start.
    """
    check_ports(plan.settings)
    engine = Engine(plan.data_dir) if plan.data_dir else None
    supervisor = Supervisor(say, engine)
    try:
        settings = _with_engine(plan, engine)
        has_keys = await _look_into(settings)
        with Ports(settings.metrics_listen) as ports:
            await supervisor.start(_parts(settings, plan.workers, ports))
            await supervisor.during(_until_ready(settings, say))
            supervisor.settled = True
            yield Stack(settings, supervisor, has_keys, ports)
    except SettingsError as error:
        raise Failure(str(error), WRONG_SETTING) from None
    finally:
        await supervisor.stop()


def check_ports(settings: Settings) -> None:
    """See that both services can listen.

    Raises:
        Failure: another program has a port, or the host is not this machine's.
    """
    for service, listen in _doors(settings):
        if reason := refusal(listen):
            raise Failure(
                f"{service} can't listen on port {listen.port} of {listen.host}: {reason}; "
                f"choose another with --{service}-port"
            )


def _doors(settings: Settings) -> list[tuple[str, Listen]]:
    return [("ingest", settings.ingest_listen), ("deliver", settings.deliver_listen)]


def refusal(listen: Listen) -> str | None:
    """Return why a service can't listen there, or None."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "another program has it"
            return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return None


def _with_engine(plan: Plan, engine: Engine | None) -> Settings:
    if engine is None or plan.data_dir is None:
        return plan.settings
    try:
        engine.start()
    except EngineError as error:
        raise Failure(str(error)) from None
    (plan.data_dir / ADDRESS).write_text(engine.url + "\n")
    return plan.settings.on_own_engine(engine.url)


async def _look_into(settings: Settings) -> bool:
    """Make the installation, and return whether it has API keys.

    A setting that does not fit the engine is one failure here; each service would have its own.
    """
    try:
        async with connect(settings.engine_url, retries=1) as redis:
            await open_installation(redis, settings.lanes)
            await levels_of(redis, settings.durability)
            return bool(await redis.exists(API_KEYS))
    except SettingsError as error:
        raise Failure(str(error), WRONG_SETTING) from None
    except RedisError as error:
        if wrong := misfit(error):
            raise Failure(wrong, WRONG_SETTING) from None
        raise Failure(f"the engine of --redis-url can't be used: {error}") from None


def _parts(settings: Settings, workers: int, ports: Ports) -> list[Part]:
    """Those that others wait for come first."""
    names = ["render", *(f"render {number}" for number in range(2, workers + 1))]
    return [_part(settings, ports, name) for name in (*names, "ingest", "deliver")]


def _part(settings: Settings, ports: Ports, name: str) -> Part:
    port = ports.of(name)
    own = settings.model_copy(update={"metrics_listen": port})
    return Part(name, f"services.{name.partition(' ')[0]}", environment(own), [port.port])


async def _until_ready(settings: Settings, say: Say) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=5.0) as client:
        for service, listen in _doors(settings):
            await _ready(client, service, address(listen), say)


async def _ready(client: httpx2.AsyncClient, service: str, url: str, say: Say) -> None:
    """Wait without end for what has a reason that it tells, such as pages to catch up with."""
    told = began = monotonic()
    while reason := await _not_ready(client, url):
        if reason == _SILENT and monotonic() - began > ANSWER_SECONDS:
            raise Failure(f"{service} does not answer at {url} after {ANSWER_SECONDS:.0f} s")
        if monotonic() - told > TELL_SECONDS:
            say(f"waiting for {service}: {reason}")
            told = monotonic()
        await asyncio.sleep(_LOOK_SECONDS)


async def _not_ready(client: httpx2.AsyncClient, url: str) -> str | None:
    """Return what is the matter, or None."""
    try:
        answer = await client.get(f"{url}/readyz")
    except httpx2.TransportError:
        return _SILENT
    if answer.status_code == httpx2.codes.OK:
        return None
    checks = answer.json()["checks"]
    return "; ".join(
        f"{name} {check['detail']}" for name, check in checks.items() if not check["ok"]
    )
