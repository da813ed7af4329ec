"""The engine's users: each service works on its rights, and has no others."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from services.ingest.append import Appender
from services.render.archiving import Archiver
from services.render.consume import make_groups
from services.render.quarantine import give_back
from services.render.rendering import Rendering
from services.render.store import Store
from services.render.sweep import Sweeper, Timing
from services.render.verify import verify
from shared.contract.events import parse_event
from shared.runtime.archive import Archive
from shared.runtime.engine_acl import HEALTH, USERS
from shared.runtime.engine_binary import find_binary
from shared.runtime.installation import open_installation
from shared.runtime.keys import (
    API_KEYS,
    ARCHIVING,
    INBOX,
    LANES,
    META,
    REFUSED,
    RENDER_GROUP,
    SUBSCRIPTIONS,
    Lane,
)
from shared.runtime.lease import Lease
from shared.runtime.ledgers import Ledgers
from shared.runtime.outlet_keys import PurgeKeys, SubscriptionKeys
from shared.runtime.redis import connect
from shared.runtime.scripts import Script
from shared.runtime.shelf import Shelves
from shared.runtime.snapshots import Snapshots
from tests.builders import SLUG, closed, corrected, killed, posted, published, retracted
from tests.integration.guarded import Guarded, guarded_engine, serving, write_users
from tests.integration.newsroom import Newsroom, dump
from tests.stack import Command, free_ports
from tests.waiting import until_sync

FERRY = "ferry-strike"
LANE = Lane("7")
KEYS = LANE.article(SLUG)


@pytest.fixture(scope="module")
def engine_with_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded_engine(tmp_path_factory.mktemp("guarded")) as engine:
        yield engine


@pytest.fixture
def guarded(engine_with_users: Guarded) -> Guarded:
    engine_with_users.root.flushall()
    engine_with_users.root.acl_log_reset()
    return engine_with_users


@dataclass
class Services:
    """The three services, each with the address that it alone has."""

    commands: list[Command]
    ingest: str
    deliver: str
    internal: list[str]

    def post(self, token: str, *events: dict[str, Any]) -> httpx2.Response:
        headers = {"content-type": "application/x-ndjson", "authorization": f"Bearer {token}"}
        lines = b"\n".join(map(orjson.dumps, events))
        return httpx2.post(
            f"{self.ingest}/v1/events", content=lines, headers=headers, trust_env=False
        )

    def get(self, url: str, **headers: str) -> httpx2.Response:
        return httpx2.get(url, headers=headers, trust_env=False)

    def ready(self) -> bool:
        assert all(command.process.poll() is None for command in self.commands)
        try:
            return all(self.get(f"{at}/readyz").is_success for at in (self.ingest, self.deliver))
        except httpx2.TransportError:
            return False


@pytest.fixture
def services(guarded: Guarded, tmp_path: Path) -> Iterator[Services]:
    ingest, deliver, *internal = (f"127.0.0.1:{port}" for port in free_ports(5))
    environ = {"WRITETHRU_INGEST_LISTEN": ingest, "WRITETHRU_DELIVER_LISTEN": deliver}
    started = Services(
        [], f"http://{ingest}", f"http://{deliver}", [f"http://{at}" for at in internal]
    )
    try:
        # Deliver can't make an installation, so those who can come first.
        for name, at in zip(("ingest", "render", "deliver"), internal, strict=True):
            own = environ | {"WRITETHRU_REDIS_URL_FILE": str(guarded.url_file(name))}
            own["WRITETHRU_METRICS_LISTEN"] = at
            started.commands.append(Command(tmp_path, name, **own))
            if name == "ingest":
                until_sync(lambda: guarded.root.exists(META, LANES) == 2, 30)
        until_sync(started.ready, 30)
        yield started
    finally:
        for command in started.commands:
            command.clear()


def operate(guarded: Guarded, *words: str) -> str:
    """Run a command as the operator and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", *words, "--redis-url", guarded.url("operator")],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_the_stack_does_all_its_work_on_the_rights_of_its_users(
    guarded: Guarded, services: Services
) -> None:
    # Given a key that the operator made, and one that nobody has
    scopes = [
        word for scope in ("publish", "correct", "kill", "read") for word in ("--scope", scope)
    ]
    token = operate(guarded, "keys", "create", "cms", *scopes)

    # When a newsroom files all there is to file, by both doors, and what can't be filed
    filed = services.post(
        token, published(), posted("u1"), corrected("u1"), posted("u2"), retracted("u2"),
        published(slug=FERRY), killed(slug=FERRY), posted("u9"), posted("u9"),
    )  # fmt: skip
    guarded.root.xadd(INBOX, {"data": orjson.dumps(posted("u3"))})
    guarded.root.xadd(INBOX, {"data": b"no event"})
    stranger = services.post(f"{token}x", posted("u4"))

    # Then it is filed, rendered and read
    statuses = [receipt["status"] for receipt in filed.json()["receipts"]]
    assert statuses == ["accepted"] * 8 + ["rejected"]
    assert stranger.status_code == 401
    page = f"{services.deliver}/articles/{SLUG}"
    until_sync(lambda: _version(services, page) == 7, 30)
    until_sync(lambda: guarded.root.xlen(REFUSED) == 1)
    for path in ("", ".txt", "/changes?since=2", "/updates/u1", "/pages/1"):
        assert services.get(page + path).status_code < 400, path
    for path in ("/", "/latest.json"):
        assert services.get(services.deliver + path).status_code == 200
    until_sync(
        lambda: services.get(f"{services.deliver}/articles/{FERRY}.json").status_code == 410, 30
    )
    ledger = f"{services.ingest}/v1/articles/{SLUG}/events"
    assert len(services.get(ledger, authorization=f"Bearer {token}").text.splitlines()) == 7
    with httpx2.stream("GET", f"{page}/live?since=1", trust_env=False) as stream:
        assert "event: change" in next(chunk for chunk in stream.iter_text() if "event:" in chunk)
    for at in services.internal:
        assert services.get(f"{at}/readyz").is_success
        metrics = services.get(f"{at}/metrics").text
        assert "\nwritethru_engine_up 1.0\n" in metrics
        assert " NaN" not in metrics
    assert "all as the ledgers give them" in operate(guarded, "verify")
    assert operate(guarded, "rebuild").endswith("2 articles rebuilt")
    assert operate(guarded, "doctor")

    # And nothing was tried that the engine denies
    assert guarded.denied() == []


def test_held_events_are_held_released_and_taken_back_on_the_rights_of_users(
    guarded: Guarded, services: Services
) -> None:
    token = operate(guarded, "keys", "create", "cms", "--scope", "admin")
    far, soon = "2099-01-01T00:00:00Z", (datetime.now(UTC) + timedelta(seconds=2)).isoformat()

    filed = services.post(
        token, published(), posted("u1", embargo_until=soon), posted("u2", embargo_until=far),
        retracted("u2"), posted("u3", id="u3", embargo_until=far), corrected("u3"),
        published(slug=FERRY, embargo_until=far), killed(slug=FERRY),
    )  # fmt: skip

    assert [each["status"] for each in filed.json()["receipts"]] == ["accepted"] + ["held"] * 7
    page = f"{services.deliver}/articles/{SLUG}"
    until_sync(lambda: _version(services, page) == 2, 30)
    assert len(operate(guarded, "held", "list", "--json").splitlines()) == 2
    operate(guarded, "held", "release", "u3")
    until_sync(lambda: _version(services, page) == 4, 30)
    assert "\nwritethru_held_events 0.0\n" in services.get(f"{services.internal[0]}/metrics").text
    assert guarded.denied() == []


def _version(services: Services, page: str) -> int:
    answer = services.get(f"{page}.json")
    return int(answer.json()["version"]) if answer.status_code == 200 else 0


async def test_render_mends_and_tidies_on_its_rights(guarded: Guarded) -> None:
    async with (
        connect(guarded.url("render")) as redis,
        connect(guarded.url("ingest")) as ingest,
        connect(guarded.url("operator")) as operator,
    ):
        # Given an article that nobody rendered, whose lane has lost its group
        installation = await open_installation(redis, 2)
        newsroom = Newsroom(ingest, installation.lanes, installation.key)
        await make_groups(redis, installation.lanes)
        await newsroom.file(published(), posted("u1"), corrected("u1"))
        lane = newsroom.keys().lane
        guarded.root.xgroup_destroy(lane.events, RENDER_GROUP)
        store = Store(redis, installation.lanes)
        timing = Timing(dirty_ms=0, stranded_ms=0, silent_ms=-1, kept_ms=0)
        sweeper = Sweeper(
            redis, installation.lanes, Rendering(redis, installation.lanes, store), timing
        )

        # When the sweeper goes over it, with what a consumer took and left
        await sweeper.sweep()
        await redis.xreadgroup(RENDER_GROUP, "gone", {lane.events: ">"}, count=10)
        await sweeper.sweep()
        await sweeper.tidy()
        withdraw = Script("services.render", "withdraw.lua")
        await withdraw.run(redis, [newsroom.keys().updates, newsroom.keys().state], ["u1@x"])
        await newsroom.file(killed())
        await store.render(SLUG)
        await store.rebuild(SLUG)

        # Then all is as it should be, and nothing was denied
        assert (
            await verify(operator, installation.lanes, installation.key, SLUG)
        ).differences == []
    assert guarded.root.xinfo_consumers(lane.events, RENDER_GROUP) == []
    assert guarded.denied() == []


async def test_render_marks_gives_back_and_mends_what_it_could_not_fold_on_its_rights(
    guarded: Guarded,
) -> None:
    async with (
        connect(guarded.url("render")) as redis,
        connect(guarded.url("ingest")) as ingest,
    ):
        # Given an article with an event that can't be read
        installation = await open_installation(redis, 2)
        newsroom = Newsroom(ingest, installation.lanes, installation.key)
        await newsroom.file(published(), posted("u1"))
        keys = newsroom.keys()
        record = guarded.root.lindex(keys.ledger, 1)
        guarded.root.lset(keys.ledger, 1, str(record).replace("update.posted", "update.sung"))
        store = Store(redis, installation.lanes)

        # When it is rendered, given back, and folded again once it is mended
        await store.render(SLUG)
        trust = store.trust[keys.lane.tag]
        trust.suspects.add(SLUG)
        await give_back(redis, keys.lane, trust)
        guarded.root.lset(keys.ledger, 1, str(record))
        await store.render(SLUG)

        # Then it has had its effect, and nothing was denied
        assert guarded.root.hget(keys.state, "refolded") == "1"
        assert guarded.root.hgetall(keys.lane.quarantined) == {}
    assert guarded.denied() == []


async def test_articles_go_to_the_archive_and_come_back_on_the_rights_of_users(
    guarded: Guarded, tmp_path: Path
) -> None:
    async with (
        connect(guarded.url("render")) as redis,
        connect(guarded.url("ingest")) as ingest,
        connect(guarded.url("deliver")) as deliver,
    ):
        # Given a closed article
        here = await open_installation(redis, 2)
        newsroom = Newsroom(ingest, here.lanes, here.key)
        await make_groups(redis, here.lanes)
        await newsroom.file(published(slug=FERRY), posted("u1", slug=FERRY), closed(slug=FERRY))
        archive = Archive(tmp_path)
        store = Store(redis, here.lanes, archive=archive)
        await store.render(FERRY)
        lease = Lease(redis, ARCHIVING, "one")
        assert await lease.take()

        # When render archives it, deliver reads it, and ingest brings it back
        archiver = Archiver(redis, here, archive, after=0)
        assert [slug async for slug in archiver.due()] == [FERRY]
        assert await archiver.archive(FERRY)
        snapshots = Snapshots(deliver, here.lanes, shelves=Shelves(archive))
        assert await snapshots.read_article(FERRY)
        assert len(await Ledgers(ingest, here.lanes, archive).read(FERRY, 0, 9)) == 3
        event = parse_event(killed(slug=FERRY))
        receipts = await Appender(ingest, here, "fsync", archive).append([event])
        await store.render(FERRY)

        # Then nothing was denied
        assert [receipt.status for receipt in receipts] == ["accepted"]
    assert list(archive.places()) == []
    assert guarded.denied() == []


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "act",
    [
        "FLUSHALL",
        "FLUSHDB",
        "KEYS *",
        "CONFIG SET appendonly no",
        "ACL LIST",
        "ACL SETUSER me on nopass +@all",
        "SHUTDOWN NOSAVE",
        "REPLICAOF 192.0.2.1 6379",
        "MODULE LIST",
        "CONFIG REWRITE",
        "CLIENT LIST",
        "MONITOR",
        "SET other x",
        "PUBLISH news x",
    ],
)
def test_nobody_may_endanger_the_engine(guarded: Guarded, user: str, act: str) -> None:
    with pytest.raises(NoPermissionError):
        guarded.login(user).execute_command(*act.split())


@pytest.mark.parametrize("user", [user for user in USERS if user != "operator"])
@pytest.mark.parametrize(
    "act",
    [
        f"DEL {KEYS.ledger}",
        f"LTRIM {KEYS.ledger} 1 0",
        f"LPOP {KEYS.ledger}",
        f"EXPIRE {KEYS.ledger} 1",
        f"RENAME {KEYS.ledger} {LANE.article('other').ledger}",
        f"HDEL {META} key",
        f"HSET {META} key x",
        f"HSET {API_KEYS} me x",
        f"DEL {LANE.changes}",
        "SCRIPT FLUSH",
        "SCAN 0",
    ],
)
def test_no_service_may_touch_what_was_filed_or_who_may_file(
    guarded: Guarded, user: str, act: str
) -> None:
    with pytest.raises(NoPermissionError):
        guarded.login(user).execute_command(*act.split())


async def test_deliver_tells_caches_on_its_rights(guarded: Guarded) -> None:
    keys = PurgeKeys("https://cache.example/")
    async with connect(guarded.url("deliver")) as deliver:
        lease = Lease(deliver, keys.lease, "one")
        assert await lease.take()
        keeping = asyncio.create_task(lease.keep())
        await deliver.hset(keys.places, mapping={"7": "1-0"})
        assert await deliver.hgetall(keys.places) == {b"7": b"1-0"}
        await asyncio.sleep(0)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert guarded.root.exists(keys.lease) == 0


@pytest.mark.parametrize(
    ("user", "act"),
    [
        ("render", f"RPUSH {KEYS.ledger} x"),
        ("render", f"HSET {KEYS.seen} x y"),
        ("render", f"HGETALL {API_KEYS}"),
        ("render", f"XADD {LANE.events} * article x"),
        ("ingest", f"HSET {KEYS.state} head x"),
        ("ingest", f"XADD {LANE.changes} * article x"),
        ("ingest", f"HGETALL {API_KEYS}"),
        ("ingest", f"DEL {KEYS.seen}"),
        ("deliver", f"RPUSH {KEYS.ledger} x"),
        ("deliver", f"HSET {KEYS.state} head x"),
        ("deliver", f"ZADD {LANE.latest} 1 x"),
        ("deliver", f"XADD {INBOX} * data x"),
        ("deliver", f"XADD {LANE.changes} * article x"),
        ("deliver", f"HGET {KEYS.seen} x"),
        ("deliver", f"HGETALL {KEYS.holds}"),
        ("deliver", f"ZRANGE {LANE.held} 0 -1"),
        ("render", f"HGETALL {KEYS.holds}"),
        ("deliver", f"HSETNX {META} other x"),
        ("deliver", f"EVAL return 1 {KEYS.ledger}"),
        ("deliver", f"XGROUP DESTROY {LANE.changes} webhooks"),
        ("ingest", f"HGET {SUBSCRIPTIONS} x"),
        ("render", f"HGET {SUBSCRIPTIONS} x"),
        ("render", f"LRANGE {SubscriptionKeys('x').recent} 0 -1"),
        (HEALTH, "INFO"),
        (HEALTH, f"LLEN {KEYS.ledger}"),
    ],
)
def test_each_keeps_to_its_own_part(guarded: Guarded, user: str, act: str) -> None:
    with pytest.raises(NoPermissionError):
        _login(guarded, user).execute_command(*act.split())


@pytest.mark.parametrize(
    ("user", "script"),
    [
        ("render", f"return redis.call('RPUSH', '{KEYS.ledger}', 'x')"),
        ("render", f"return redis.call('DEL', '{KEYS.ledger}')"),
        ("ingest", f"return redis.call('LTRIM', '{KEYS.ledger}', 1, 0)"),
        ("render", f"return redis.call('LSET', '{KEYS.ledger}', 0, 'x')"),
    ],
)
def test_a_script_may_do_no_more_than_who_runs_it(guarded: Guarded, user: str, script: str) -> None:
    guarded.root.rpush(KEYS.ledger, "filed")

    with pytest.raises(ResponseError, match="ACL failure in script"):
        guarded.login(user).eval(script, 1, KEYS.ledger)

    assert guarded.root.lrange(KEYS.ledger, 0, -1) == ["filed"]


def test_who_has_no_password_of_ours_is_told_nothing(guarded: Guarded) -> None:
    for user, password in ((None, None), ("ingest", "guess")):
        client = Redis(port=guarded.port, protocol=2, username=user, password=password)
        with pytest.raises(AuthenticationError):
            client.ping()
    assert _login(guarded, HEALTH).ping()


async def test_an_installation_is_made_by_those_who_may_and_read_by_all(guarded: Guarded) -> None:
    async with (
        connect(guarded.url("deliver")) as deliver,
        connect(guarded.url("render")) as render,
    ):
        with pytest.raises(NoPermissionError):
            await open_installation(deliver, 12)

        made = await open_installation(render, 12)

        assert await open_installation(deliver, 12) == made


BINARIES = {str(find_binary(None)), *filter(None, map(shutil.which, ("redis-server",)))}


@pytest.mark.parametrize("binary", BINARIES)
async def test_an_engine_on_these_users_has_everything_after_a_crash(
    tmp_path: Path, binary: str
) -> None:
    # Given events that were filed, each by a script and so as one transaction of the engine's file
    [port] = free_ports(1)
    await asyncio.to_thread(write_users, tmp_path, port)
    with serving(tmp_path, port, binary) as engine:
        async with connect(engine.url("ingest")) as redis:
            installation = await open_installation(redis, 2)
            newsroom = Newsroom(redis, installation.lanes, installation.key)
            await newsroom.file(published(), posted("u1"), posted("u2"))
        before = await dump_of(engine)

        # When the engine is killed
        engine.server.kill()
        engine.server.wait()

    # Then it has them when it is started again
    with serving(tmp_path, port, binary) as engine:
        assert await dump_of(engine) == before
    assert any("ledger" in key for key in before)


def test_who_replays_the_engines_file_may_do_everything_and_can_not_log_in(
    guarded: Guarded,
) -> None:
    # Redis replays it as `default`, and leaves out what that one may not do.
    default: Any = guarded.root.acl_getuser("default")

    assert "off" in default["flags"]
    assert (default["categories"], default["keys"], default["passwords"]) == (["+@all"], ["~*"], [])


async def dump_of(engine: Guarded) -> dict[str, Any]:
    async with connect(f"redis://root:any@127.0.0.1:{engine.port}") as redis:
        return await dump(redis)


def test_passwords_are_kept_where_only_one_looks_and_nowhere_else(guarded: Guarded) -> None:
    listed = (guarded.folder / "engine" / "users.acl").read_text()
    passwords = {guarded.url(user).split(":")[2].split("@")[0] for user in USERS}

    assert len(passwords) == len(USERS)
    assert not any(password in listed for password in passwords)
    assert all(guarded.url_file(user).stat().st_mode & 0o777 == 0o600 for user in USERS)


def test_run_again_it_keeps_the_passwords_and_a_running_engine_takes_the_rights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given an engine on users as an older version made them, without one of them
    [port] = free_ports(1)
    write_users(tmp_path, port)
    users = tmp_path / "engine" / "users.acl"
    older = [line for line in users.read_text().splitlines() if "user render" not in line]
    users.write_text("\n".join(older) + "\n")
    with serving(tmp_path, port) as engine:
        before = engine.url("render")
        with pytest.raises(AuthenticationError):
            engine.login("render").ping()

        # When the command runs again
        write_users(tmp_path, port)

        # Then that one can log in, by the same address
        assert engine.url("render") == before
        assert engine.login("render").ping()
        assert "and the engine has taken it" in capsys.readouterr().out


def _login(guarded: Guarded, user: str) -> Redis:
    if user != HEALTH:
        return guarded.login(user)
    return Redis(port=guarded.port, username=user, password="any", protocol=2)
