"""What happens to an installation in containers, in the order in which it may happen to one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import orjson

from services.cli import coverage
from tests.builders import Envelope, posted, published
from tests.compose.docker import SETTINGS, Docker, StepFailed
from tests.compose.newsroom import Newsroom, Reader
from tests.waiting import until_sync

#: The commands of README.md and docs/operations.md, as they stand there.
CONFIGURE = "cp .env.example .env"
UP = "docker compose up --build --detach --wait"
KEY = "docker compose run --rm writethru keys create cms --scope publish --scope correct"
EXPIRING = f"{KEY} --expires 90d"
KEYS = "docker compose run --rm writethru keys list"
PS = "docker compose ps"
LOGS = "docker compose logs --tail 100 render"
WHY = "docker inspect --format '{{json .State.Health}}' $(docker compose ps --quiet render)"
VERIFY = "docker compose run --rm writethru verify"
DOCTOR = "docker compose run --rm writethru doctor"
SCALE = "docker compose up --detach --wait --scale render=4"
BUILD = "docker compose build"
ROLL_OUT = (
    "docker compose up --detach --wait render",
    "docker compose up --detach --wait ingest",
    "docker compose up --detach --wait deliver",
)
STOP_ENGINE = "docker compose stop redis"
BACK_UP = (
    "docker compose run --rm -T --no-deps --entrypoint tar redis -C /data -cf - . > ledger.tar"
)
START_ENGINE = "docker compose start redis"
RESTORE = "docker compose run --rm -T --no-deps --entrypoint tar redis -C /data -xf - < ledger.tar"
REDACT = (
    "docker compose run --rm writethru redact harbour-bridge update-7"
    ' --note "Removed by order of a court."'
)
QUARANTINE = "docker compose run --rm writethru quarantine list"
SUBSCRIBERS = "docker compose run --rm writethru subscriptions list"
HELD = "docker compose run --rm writethru held"
LIST, SHOW, RELEASE, SPIKE = (
    f"{HELD} list",
    f"{HELD} show update-7",
    f"{HELD} release update-7",
    f"{HELD} spike update-7",
)
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
WATCH = "docker compose --profile observability up --detach --wait prometheus"
ASK = (
    "docker compose exec -T prometheus promtool query instant http://127.0.0.1:9090"
    " 'count by (service) (up{job=\"writethru\"} == 1)'"
)
TRACE = f"docker compose logs --no-log-prefix | grep {TRACE_ID}"
EXPORT = "docker compose run --rm -T writethru export --with-key > newsroom.ndjson"
IMPORT = "docker compose run --rm -T writethru import < newsroom.ndjson"
ARCHIVE = (
    "docker compose run --rm writethru archive --dry-run",
    "docker compose run --rm writethru archive list",
    "docker compose run --rm -T --no-deps --entrypoint tar writethru -C /archive -cf - . "
    "> archive.tar",
)
DOWN = "docker compose down"
UP_AGAIN = "docker compose up --detach --wait"
REMOVE = "docker compose --profile '*' down --volumes"
DOCUMENTED = (
    *(CONFIGURE, UP, KEY, KEYS, PS, LOGS, WHY, VERIFY, DOCTOR, SCALE, BUILD, *ROLL_OUT),
    *(STOP_ENGINE, BACK_UP, START_ENGINE, DOWN, UP_AGAIN, REMOVE, RESTORE),
    *(QUARANTINE, SUBSCRIBERS, EXPIRING, LIST, SHOW, RELEASE, SPIKE, REDACT, TRACE, EXPORT, IMPORT),
    *ARCHIVE,
)

SERVICES = ("redis", "ingest", "render", "deliver")
#: A container that was killed is started, loads, and is asked whether it is well.
RECOVERY_SECONDS = 90.0
EVENTS_BETWEEN = 40
#: Where the build has its packages from, so it can be reached from here.
OUTSIDE = "pypi.org"


def tell(docker: Docker, *, short: bool = False) -> None:
    """Tell the story; a *short* one ends when everything was killed once.

    Raises:
        StepFailed, AssertionError: something didn't happen as it should.
    """
    begun = time.monotonic()
    with step("install"):
        _install(docker)
    with step("who may do what"):
        _look_at_rights(docker)
    with step("the sample coverage, through the published port"):
        token = docker.run(EXPIRING).splitlines()[-1]
        docker.run(KEY)
        reading = docker.run(KEY.replace("publish --scope correct", "read")).splitlines()[-1]
        _publish_the_sample(docker, token)
    reader = Reader(deliver(docker))
    until_sync(reader.listening, RECOVERY_SECONDS)
    newsroom = Newsroom(ingest(docker), token)
    for service in ("render", "ingest", "redis", "deliver"):
        with step(f"kill -9 {service} while events are filed"):
            go_on(newsroom)
            _kill(docker, docker.containers(service)[0])
            go_on(newsroom)
    with step("four renderers, one of them killed"):
        docker.run(SCALE)
        renderers = docker.containers("render")
        assert len(renderers) == 4, renderers
        _kill(docker, renderers[0])
        go_on(newsroom)
    if short:
        _end(docker, newsroom, reader, reading)
        print(f"ok: {newsroom.filed()} events, none missing, in {time.monotonic() - begun:.0f} s")
        return
    with step("Prometheus finds every process"):
        _watch(docker)
    with step("an upgrade, one service after another, while events are filed"):
        _upgrade(docker)
        go_on(newsroom)
    with step("and back"):
        docker.set("IMAGE_TAG=test\n")
        _roll_out(docker, "writethru:test")
        go_on(newsroom)
    _end(docker, newsroom, reader, reading)
    with step("an embargo that is broken, and a text that must not exist"):
        _redact(docker, token)
    with step("one event, followed through the logs"):
        _follow_one(docker, token)
    with step("down, and up again"):
        docker.run(DOWN)
        docker.run(UP_AGAIN)
        check(docker, newsroom, reading)
    with step("the archive, which holds nothing yet"):
        for command in ARCHIVE:
            docker.run(command)
    with step("a backup, the loss of all volumes, and a restore"):
        for command in (STOP_ENGINE, BACK_UP, START_ENGINE, REMOVE, RESTORE, UP_AGAIN):
            docker.run(command)
        check(docker, newsroom, reading)
    with step("an export, the loss of all volumes, and an import"):
        for command in (EXPORT, REMOVE, IMPORT, UP_AGAIN):
            docker.run(command)
        check(docker, newsroom, reading)
    untold = set(DOCUMENTED) - docker.said
    assert not untold, f"documented and not run: {untold}"
    print(f"ok: {newsroom.filed()} events, none missing, in {time.monotonic() - begun:.0f} s")


def _end(docker: Docker, newsroom: Newsroom, reader: Reader, reading: str) -> None:
    """Stop filing, and see that all of it is there, and was told."""
    with step("nothing is missing"):
        newsroom.stop()
        print(f"    the longest wait for a receipt was {newsroom.longest:.1f} s")
        check(docker, newsroom, reading)
        check_reader(newsroom, reader)


def _install(docker: Docker) -> None:
    docker.run(CONFIGURE)
    docker.set(SETTINGS.format(ingest=docker.ingest_port, deliver=docker.deliver_port))
    docker.run(UP)
    docker.run(PS)
    docker.run(LOGS)
    health = orjson.loads(docker.run(WHY))
    assert health["Status"] == "healthy", health
    assert '"ready":true' in health["Log"][-1]["Output"], health
    size = int(docker.run("docker image inspect --format '{{.Size}}' writethru:test", quiet=True))
    base = docker.run(
        "docker image inspect --format '{{.Size}}' python:3.13-slim-trixie", quiet=True
    )
    print(f"    the image is {size / 1e6:.0f} MB, {(size - int(base)) / 1e6:.0f} of them ours")


def _look_at_rights(docker: Docker) -> None:
    for service in SERVICES:
        host = docker.inspect(docker.containers(service)[0])["HostConfig"]
        assert host["ReadonlyRootfs"], f"{service} can write into its image"
        status = _inside(docker, service, "cat /proc/1/status")
        for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"):
            assert f"\n{line}\n" in status, f"{service}: {status}"
        assert "\nUid:\t0" not in status, f"{service} is root"
    for service in SERVICES[1:]:
        found = _inside(docker, service, "find /secrets -type f")
        assert found == f"/secrets/{service}/redis-url", f"{service} sees {found}"
    assert "NOAUTH" in _inside(docker, "redis", "redis-cli ping"), "the engine lets anybody in"
    outside = socket.getaddrinfo(OUTSIDE, 443, socket.AF_INET)[0][4][0]
    probe = f"import socket; socket.create_connection(('{outside}', 443), 3)"
    out = {service for service in SERVICES[1:] if _is_let(docker, service, probe)}
    assert out == {"ingest", "deliver"}, f"{out} have a way out"


def _is_let(docker: Docker, service: str, probe: str) -> bool:
    try:
        _inside(docker, service, f'python -c "{probe}"')
    except StepFailed:
        return False
    return True


def _inside(docker: Docker, service: str, command: str) -> str:
    return docker.run(f"docker compose exec -T {service} {command}", quiet=True)


def _publish_the_sample(docker: Docker, token: str) -> None:
    sample = str(Path(coverage.__file__).with_name("coverage.ndjson"))
    receipts = _writethru("publish", sample, "--to", ingest(docker), "--key", token)
    assert receipts.count('"status":"accepted"') == len(coverage.load()), receipts
    page = _writethru("fold", sample, "--format", "text")
    (slug,) = {event["subject"] for event in coverage.load()}
    until_sync(lambda: _get(docker, f"/articles/{slug}.txt") == page, RECOVERY_SECONDS)
    docker.run(KEYS)
    docker.run(QUARANTINE)
    docker.run(SUBSCRIBERS)
    print(f"    {docker.run(DOCTOR).splitlines()[-1]}")
    assert "1 article checked: all as the ledgers give them" in docker.run(VERIFY)


def _writethru(*words: str) -> str:
    command = [sys.executable, "-m", "services.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepFailed(f"writethru {words[0]}: {done.stderr}")
    return done.stdout


def _kill(docker: Docker, container: str) -> None:
    """Kill the container's process as the kernel would, and wait until Docker has mended that."""
    before = docker.inspect(container)
    os.kill(before["State"]["Pid"], signal.SIGKILL)

    def is_back() -> bool:
        now = docker.inspect(container)
        if now["RestartCount"] == before["RestartCount"]:
            return False
        return bool(now["State"]["Health"]["Status"] == "healthy")

    until_sync(is_back, RECOVERY_SECONDS)


def go_on(newsroom: Newsroom) -> None:
    """Wait until some more events are acknowledged."""
    enough = newsroom.filed() + EVENTS_BETWEEN
    until_sync(lambda: newsroom.failed() or newsroom.filed() >= enough, RECOVERY_SECONDS)


def _upgrade(docker: Docker) -> None:
    """Roll out an image that differs by a remark; the engine goes on meanwhile."""
    docker.set("IMAGE_TAG=next\nRENDERERS=4\n")
    with (docker.folder / "shared" / "__init__.py").open("a") as module:
        module.write("# next\n")
    docker.run(BUILD)
    _roll_out(docker, "writethru:next")


def _roll_out(docker: Docker, image: str) -> None:
    engine = docker.containers("redis")
    for command in ROLL_OUT:
        docker.run(command)
    for service in SERVICES[1:]:
        images = {docker.inspect(each)["Config"]["Image"] for each in docker.containers(service)}
        assert images == {image}, images
    assert len(docker.containers("render")) == 4
    before = {service: docker.containers(service) for service in SERVICES}
    docker.run(UP_AGAIN)
    after = {service: docker.containers(service) for service in SERVICES}
    assert after == before, "there was something left to roll out"
    assert after["redis"] == engine, "the engine was not left alone"


def check(docker: Docker, newsroom: Newsroom, token: str) -> None:
    """Compare what is stored and shown with what was acknowledged."""
    assert "all as the ledgers give them" in docker.run(VERIFY)
    for slug, receipts in newsroom.receipts.items():
        assert [receipt["seq"] for receipt in receipts] == list(range(1, len(receipts) + 1))
        ledger = [orjson.loads(line) for line in _ledger(docker, slug, token).splitlines()]
        filed = [(receipt["id"], receipt["seq"], receipt["chain"]) for receipt in receipts]
        assert [(each["id"], each["seq"], each["chain"]) for each in ledger] == filed, slug
        shown = orjson.loads(_get(docker, f"/articles/{slug}.json"))
        assert (shown["version"], shown["chain"]) == (filed[-1][1], filed[-1][2]), slug


def _watch(docker: Docker) -> None:
    docker.run(WATCH)
    processes = {"ingest": 1, "render": 4, "deliver": 1}

    def all_seen() -> bool:
        said = docker.run(ASK, quiet=True)
        return all(f'{{service="{name}"}} => {many} ' in said for name, many in processes.items())

    until_sync(all_seen, RECOVERY_SECONDS)
    docker.run("docker compose --profile observability stop prometheus")


def _redact(docker: Docker, token: str) -> None:
    """Destroy a text, and search the engine's volume for it."""
    secret = "the witness is called Marlow Quayle"
    held = {"id": "update-7", "embargo_until": "2099-01-01T00:00:00Z"}
    _file(docker, token, published(), posted("update-7", f"They say {secret}.", **held))
    for command in (LIST, SHOW, RELEASE):
        docker.run(command)
    _file(docker, token, published(slug="pier"), posted("update-7", slug="pier", **held))
    docker.run(SPIKE)
    search = f"sh -c 'grep -rl \"{secret}\" /data || true'"
    assert _inside(docker, "redis", search), "it is not where we look"
    docker.run(REDACT)
    assert not _inside(docker, "redis", search), "it is still in the engine's files"
    assert secret not in _get(docker, "/articles/harbour-bridge.txt")


def _follow_one(docker: Docker, token: str) -> None:
    traced = published(slug="traced") | {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
    _file(docker, token, traced)
    until_sync(lambda: _get(docker, "/articles/traced.txt"), RECOVERY_SECONDS)

    def named() -> set[str]:
        lines = docker.run(TRACE).splitlines()
        # Before the line may stand what clears a terminal's.
        return {orjson.loads(line[line.index("{") :])["service"] for line in lines}

    until_sync(lambda: named() == {"ingest", "render", "deliver"}, RECOVERY_SECONDS)


def _file(docker: Docker, token: str, *events: Envelope) -> None:
    path = docker.folder / "events.ndjson"
    path.write_bytes(b"\n".join(map(orjson.dumps, events)))
    _writethru("publish", str(path), "--to", ingest(docker), "--key", token)


def check_reader(newsroom: Newsroom, reader: Reader) -> None:
    """See that the one who watched was told of everything, once and in order."""
    filed = {slug: len(receipts) for slug, receipts in newsroom.receipts.items()}
    with suppress(AssertionError):
        until_sync(lambda: dict(reader.at) == filed)
    reader.stop()
    assert dict(reader.at) == filed, "the reader was not told of everything"
    assert not reader.gaps, reader.gaps
    assert not reader.resets, "the reader was told to start over"
    print(f"    a reader was cut off {reader.cut_off} times, and was told everything")


def _ledger(docker: Docker, slug: str, token: str) -> str:
    headers = {"authorization": f"Bearer {token}"}
    answer = httpx2.get(
        f"{ingest(docker)}/v1/articles/{slug}/events", headers=headers, trust_env=False
    )
    return answer.raise_for_status().text


def _get(docker: Docker, path: str) -> str:
    answer = httpx2.get(f"{deliver(docker)}{path}", trust_env=False)
    return answer.text if answer.is_success else ""


def ingest(docker: Docker) -> str:
    return f"http://127.0.0.1:{docker.ingest_port}"


def deliver(docker: Docker) -> str:
    return f"http://127.0.0.1:{docker.deliver_port}"


@contextmanager
def step(title: str) -> Iterator[None]:
    print(title, flush=True)
    begun = time.monotonic()
    yield
    print(f"    {time.monotonic() - begun:.0f} s", flush=True)
