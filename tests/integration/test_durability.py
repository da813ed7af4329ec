"""Levels of durability on a primary with a replica, and the traps of WAIT and WAITAOF."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.ingest.append import STEP_EVENTS, Appender
from services.ingest.core.bodies import BATCH, ONE
from shared.contract.durability import DURABILITIES, Durability
from shared.contract.errors import Refused
from shared.contract.events import parse_event
from shared.contract.receipts import Receipt
from shared.runtime.cluster_map import slot_of
from shared.runtime.durability import WAIT_MILLISECONDS, WAITS, levels_of
from shared.runtime.engine import SETTINGS, Engine
from shared.runtime.installation import Installation, open_installation
from shared.runtime.redis import connect, primaries
from shared.runtime.settings import SettingsError
from tests.builders import SLUG, Envelope, posted, published, redacted
from tests.integration.frontdesk import Frontdesk, frontdesk
from tests.nodes import ClusterOfNodes, Node, Pair, cluster, pair
from tests.waiting import until

LANES = 2
REPLICATED: tuple[Durability, ...] = ("replica", "replica-fsync")
each_level = pytest.mark.parametrize("level", REPLICATED)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("pair")) as made:
        yield made


@pytest.fixture
async def redis(nodes: Pair) -> AsyncIterator[Redis]:
    async with connect(nodes.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def here(redis: Redis) -> Installation:
    return await open_installation(redis, LANES)


@pytest.fixture
def appender(redis: Redis, here: Installation) -> Appender:
    return Appender(redis, here, "fsync")


@pytest.fixture
async def desk(nodes: Pair, redis: Redis) -> AsyncIterator[Frontdesk]:
    async with frontdesk(redis, nodes.url) as made:
        yield made


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let waits end sooner, where they end in vain."""
    for level, wait in WAITS.items():
        commands = tuple((*words[:-1], 300) for words in wait.commands)
        monkeypatch.setitem(WAITS, level, replace(wait, commands=commands))


@contextmanager
def stopped(replica: Node) -> Iterator[None]:
    replica.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        replica.signal(signal.SIGCONT)


async def ask(desk: Frontdesk, level: str | None, *events: Envelope, token: str) -> Any:
    form = ONE if len(events) == 1 else BATCH
    body = orjson.dumps(events[0] if len(events) == 1 else events)
    headers = {} if level is None else {"writethru_durability": level}
    return await desk.post(body, form, token, **headers)


async def file(appender: Appender, level: Durability, *events: Envelope) -> list[Receipt]:
    return await appender.append(list(map(parse_event, events)), wait=WAITS[level])


def outcome(receipts: list[Receipt]) -> list[tuple[str, str | None]]:
    return [(receipt.status, receipt.durability) for receipt in receipts]


async def calls(redis: Redis, command: str) -> int:
    stats: Any = await redis.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def test_a_receipt_names_the_level_that_was_asked_for_and_reached(desk: Frontdesk) -> None:
    token = await desk.key("publish")
    found = {}
    for number, level in enumerate((None, *DURABILITIES)):
        answer = await ask(desk, level, published(slug=f"story-{number}"), token=token)
        found[level] = answer.json()["receipts"][0]["durability"]

    # The engine writes all to its disk before it answers, also what may be lost.
    assert found == {None: "fsync", "memory": "fsync", "fsync": "fsync"} | dict(
        zip(REPLICATED, REPLICATED, strict=True)
    )


@pytest.mark.parametrize("value", ["disk", "", "replica,replica", "REPLICA-FSYNC!"])
async def test_an_unknown_level_is_refused_and_nothing_stored(desk: Frontdesk, value: str) -> None:
    token = await desk.key("publish")

    answer = await ask(desk, value, published(), token=token)

    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed"
    assert "memory, fsync, replica or replica-fsync" in answer.json()["detail"]
    assert await desk.statuses(published(), token=token) == ["accepted"]


async def test_a_keys_floor_lifts_a_request_but_never_lowers_one(desk: Frontdesk) -> None:
    token = await desk.key("publish", durability="replica")

    found = [
        (await ask(desk, level, published(slug=f"story-{n}"), token=token)).json()["receipts"][0]
        for n, level in enumerate((None, "memory", "fsync", "replica-fsync"))
    ]

    levels = [receipt["durability"] for receipt in found]
    assert levels == ["replica", "replica", "replica", "replica-fsync"]


async def test_the_installations_level_is_that_of_requests_that_name_none(
    nodes: Pair, redis: Redis
) -> None:
    async with frontdesk(redis, nodes.url, durability="replica") as desk:
        token = await desk.key("publish")
        default, lower = [
            (await ask(desk, level, published(slug=slug), token=token)).json()["receipts"][0]
            for level, slug in ((None, "one"), ("fsync", "other"))
        ]

    assert (default["durability"], lower["durability"]) == ("replica", "fsync")


@each_level
@pytest.mark.usefixtures("short")
async def test_what_a_stopped_replica_has_not_is_unknown_and_a_duplicate_once_it_has(
    nodes: Pair, desk: Frontdesk, level: Durability
) -> None:
    token = await desk.key("publish")
    event, other = published(), posted("u1")

    with stopped(nodes.replica):
        answer = await ask(desk, level, event, token=token)
        repeated = await ask(desk, level, event, token=token)
        batch = await ask(desk, level, event, other, token=token)
        lower = await ask(desk, "fsync", event, token=token)
    again = await ask(desk, level, event, other, token=token)

    for each in (answer, repeated):
        assert (each.status_code, each.json()["code"]) == (503, "durability-timeout")
        assert each.headers["retry-after"]
        assert level in each.json()["detail"]
    assert batch.status_code == 202
    assert [each["status"] for each in batch.json()["receipts"]] == ["unknown"] * 2
    assert [each["status"] for each in lower.json()["receipts"]] == ["duplicate"]
    found = again.json()["receipts"]
    assert [(each["status"], each["durability"]) for each in found] == [("duplicate", level)] * 2
    assert nodes.replica.ask("LLEN", keys(desk).ledger) == 2


def keys(desk: Frontdesk) -> Any:
    return desk.app.state.ledgers.lanes.of(SLUG).article(SLUG)


@each_level
@pytest.mark.usefixtures("short")
async def test_a_duplicate_on_a_connection_that_wrote_nothing_waits_for_the_first(
    nodes: Pair, redis: Redis, here: Installation, appender: Appender, level: Durability
) -> None:
    async with connect(nodes.url) as fresh:
        with stopped(nodes.replica):
            [first] = await appender.append([parse_event(published(id="opening"))])
            command: Any = WAITS[level].commands[-1]
            # The trap: nothing was written here, so the engine has nothing to wait for.
            trap = await fresh.execute_command(*command)
            receipts = await file(Appender(fresh, here, "fsync"), level, published(id="opening"))

    assert first.status == "accepted"
    assert WAITS[level].is_met(trap)
    assert outcome(receipts) == [("unknown", None)]


@each_level
async def test_a_step_that_lost_its_connection_is_confirmed_when_it_is_repeated(
    nodes: Pair, redis: Redis, appender: Appender, level: Durability
) -> None:
    with stopped(nodes.replica):
        filing = asyncio.create_task(file(appender, level, published()))
        await until(lambda: waiting(redis))
        before = await calls(redis, "evalsha")
        await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await until(lambda: more_than(redis, before))
        await until(lambda: waiting(redis))

    assert outcome(await filing) == [("duplicate", level)]


async def waiting(redis: Redis) -> bool:
    return int((await redis.info("clients"))["blocked_clients"]) > 0


async def more_than(redis: Redis, before: int) -> bool:
    return await calls(redis, "evalsha") > before


@each_level
async def test_a_step_of_many_events_is_one_transaction_and_waits_once_behind_it(
    redis: Redis, appender: Appender, level: Durability
) -> None:
    command = str(WAITS[level].commands[-1][0]).lower()
    before = await calls(redis, command)
    events = [published(), *(posted(f"u{n}") for n in range(STEP_EVENTS - 1))]

    receipts = await file(appender, level, *events)

    assert outcome(receipts) == [("accepted", level)] * STEP_EVENTS
    assert await calls(redis, command) == before + 1


@pytest.mark.usefixtures("short")
async def test_a_step_of_many_events_does_not_pass_for_kept_inside_its_transaction(
    nodes: Pair, appender: Appender
) -> None:
    with stopped(nodes.replica):
        receipts = await file(appender, "replica", published(), posted("u1"), posted("u2"))

    assert {receipt.status for receipt in receipts} == {"unknown"}


async def test_what_a_replica_confirmed_is_there_when_it_takes_over(tmp_path: Path) -> None:
    with pair(tmp_path) as nodes:
        async with connect(nodes.url) as redis:
            here = await open_installation(redis, LANES)
            appender = Appender(redis, here, "fsync")
            await file(appender, "replica", published())
            posts = [posted(f"u{n}") for n in range(200)]
            filing = [asyncio.create_task(file(appender, "replica", post)) for post in posts]
            await asyncio.wait(filing[:50])
            nodes.primary.kill()
            for task in filing:
                task.cancel()
            done = await asyncio.gather(*filing, return_exceptions=True)
        nodes.replica.ask("REPLICAOF", "NO", "ONE")
        ledger = nodes.replica.ask("LRANGE", here.lanes.of(SLUG).article(SLUG).ledger, 0, -1)

    confirmed = [found[0].id for found in done if isinstance(found, list) and found[0].seq]
    assert len(confirmed) >= 50
    assert set(confirmed) <= {orjson.loads(entry)["event"]["id"] for entry in ledger}


async def test_the_default_level_takes_no_command_more(redis: Redis, appender: Appender) -> None:
    await redis.config_resetstat()

    await appender.append([parse_event(published())])
    await appender.append([parse_event(posted("u1")), parse_event(posted("u2"))])

    stats: Any = await redis.info("commandstats")
    sent = {name.removeprefix("cmdstat_") for name in stats}
    assert not sent & {"wait", "waitaof", "set"}
    # The first ones brought the script's text: one call more than EVALSHA that did the work.
    assert await calls(redis, "exec") == 1
    assert await calls(redis, "evalsha") + await calls(redis, "eval") <= 4


@each_level
async def test_a_forgotten_script_is_told_again_and_waited_for(
    redis: Redis, appender: Appender, level: Durability
) -> None:
    await redis.script_flush()

    receipts = await file(appender, level, published(), posted("u1"))

    assert outcome(receipts) == [("accepted", level)] * 2


@each_level
async def test_what_is_rejected_is_so_at_any_level(
    redis: Redis, here: Installation, appender: Appender, level: Durability
) -> None:
    await redis.rpush(here.lanes.of("broken").article("broken").ledger, "not so")

    receipts = await file(
        appender, level, published(), posted("u1", slug="nowhere"), published(slug="broken")
    )

    said = [receipt.problem and receipt.problem["code"] for receipt in receipts]
    assert said == [None, "unknown-article", "busy"]
    assert receipts[0].durability == level


@each_level
async def test_a_redaction_is_kept_as_asked(appender: Appender, level: Durability) -> None:
    await file(appender, level, published(), posted("u1"))

    receipts = await file(appender, level, redacted("u1"))

    assert outcome(receipts) == [("accepted", level)]


async def test_a_full_engine_stores_nothing_and_is_busy(redis: Redis, appender: Appender) -> None:
    await file(appender, "replica", published())
    await redis.config_set("maxmemory", "1mb")
    try:
        receipts = await file(appender, "replica", posted("u1"), posted("u2"))
    finally:
        await redis.config_set("maxmemory", "0")

    assert [receipt.problem and receipt.problem["code"] for receipt in receipts] == ["busy"] * 2
    assert outcome(await file(appender, "replica", posted("u1"))) == [("accepted", "replica")]


@pytest.fixture
def weak(tmp_path: Path) -> Iterator[Pair]:
    """Return a pair whose disks are written to when that suits them."""
    words = list(SETTINGS)
    words[words.index("always")] = "everysec"
    with pair(tmp_path, words) as made:
        yield made


async def test_an_installation_in_memory_confirms_disks_where_they_are_asked_for(
    weak: Pair,
) -> None:
    async with connect(weak.url) as redis:
        levels = await levels_of(redis, "memory")
        appender = Appender(redis, await open_installation(redis, LANES), levels.kept)
        wait = levels.wait("fsync")
        found = await appender.append([parse_event(published())])
        synced = await appender.append([parse_event(posted("u1"))], wait=wait)

    assert outcome(found) == [("accepted", "memory")]
    assert outcome(synced) == [("accepted", "fsync")]
    assert levels.wait() is None
    # A replica's memory says nothing of the primary's disk, which the other one asks for.
    assert levels.wait("replica", "fsync") == levels.wait("fsync", "replica")
    assert levels.wait("replica", "fsync") == WAITS["replica-fsync"]


async def test_an_engine_without_a_file_can_not_confirm_disks_and_says_so(tmp_path: Path) -> None:
    words = list(SETTINGS)
    words[words.index("--appendonly") + 1] = "no"
    with pair(tmp_path, words) as bare:
        async with connect(bare.url) as redis, frontdesk(redis, bare.url, durability="memory") as d:
            token = await d.key("publish")
            refused = await ask(d, "replica-fsync", published(), token=token)
            taken = await ask(d, "replica", published(), token=token)

    assert (refused.status_code, refused.json()["code"]) == (400, "malformed")
    assert "replica-fsync can't be had here: the engine" in refused.json()["detail"]
    assert "has appendonly no; give it appendonly yes" in refused.json()["detail"]
    assert taken.json()["receipts"][0]["durability"] == "replica"


@pytest.mark.parametrize(
    ("right", "said"),
    [("-waitaof", "lets its user not WAITAOF; give it +@blocking")],
)
async def test_a_default_that_can_not_be_had_is_refused_at_the_start(
    nodes: Pair, redis: Redis, right: str, said: str
) -> None:
    await redis.acl_setuser("held", enabled=True, nopass=True, keys="*", commands=["+@all", right])
    try:
        async with connect(nodes.url.replace("//", "//held:x@")) as held:
            with pytest.raises(SettingsError) as refusal:
                await levels_of(held, "replica-fsync")
            levels = await levels_of(held, "replica")
    finally:
        await redis.acl_deluser("held")

    assert str(refusal.value).startswith("WRITETHRU_DURABILITY is replica-fsync, which the engine")
    assert said in str(refusal.value)
    assert set(levels.lacking) == {"replica-fsync"}


async def test_a_start_waits_for_no_replica(tmp_path: Path) -> None:
    with Engine(tmp_path) as alone:
        async with connect(alone.url) as redis:
            async with asyncio.timeout(WAIT_MILLISECONDS / 1e3):
                levels = await levels_of(redis, "replica-fsync")

    assert (levels.kept, levels.lacking) == ("fsync", {})


async def test_an_engine_without_the_command_is_named_with_the_remedy(
    tmp_path: Path,
) -> None:
    with pair(tmp_path, (*SETTINGS, "--rename-command", "WAITAOF", "")) as old:
        async with connect(old.url) as redis:
            with pytest.raises(SettingsError, match=r"has no WAITAOF; take Redis 7.2, Valkey"):
                await levels_of(redis, "replica-fsync")
            levels = await levels_of(redis, "replica")

    assert levels.wait() == WAITS["replica"]
    assert levels.wait("fsync") is None
    with pytest.raises(Refused, match="replica-fsync can't be had here"):
        levels.wait("replica-fsync")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterOfNodes]:
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@asynccontextmanager
async def appending(many: ClusterOfNodes) -> AsyncIterator[tuple[Redis, Installation, Appender]]:
    async with connect(many.url) as redis:
        for primary in await primaries(redis):
            await primary.flushall()
        here = await open_installation(redis, 12)
        yield redis, here, Appender(redis, here, "fsync")


@pytest.mark.usefixtures("short")
async def test_in_a_cluster_the_replica_of_the_articles_own_node_counts(
    many: ClusterOfNodes,
) -> None:
    async with appending(many) as (_, here, appender):
        owner = many.owner(slot_of(here.lanes.of(SLUG).events))
        other = next(
            f"story-{n}"
            for n in range(99)
            if many.owner(slot_of(here.lanes.of(f"story-{n}").events)) != owner
        )
        replica = many.replica_of(owner)

        # Two of three replicas live on, which no sum over the nodes may hide.
        with stopped(replica):
            receipts = await file(appender, "replica", published(), published(slug=other))
        again = await file(appender, "replica-fsync", published(id="x", slug=other), posted("u1"))

    assert outcome(receipts) == [("unknown", None), ("accepted", "replica")]
    assert again[1].durability == "replica-fsync"
