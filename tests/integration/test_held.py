"""Held events against a real engine: nowhere before they are due, once and in order afterwards."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.ingest.append import Appender, Checked
from services.ingest.core.holding import Held, read_holds
from services.ingest.desk import Desk as Queue
from services.ingest.release import RELEASE, Releaser, release
from services.render.verify import verify
from shared.article.fold import replay
from shared.article.stored import load_entry
from shared.contract.canonical import fingerprint
from shared.contract.events import parse_event
from shared.contract.receipts import Receipt
from shared.runtime.engine import Engine
from shared.runtime.installation import Installation, open_installation
from shared.runtime.keys import ArticleKeys
from shared.runtime.redis import connect
from shared.runtime.scripts import Script
from tests import builders
from tests.builders import (
    SLUG,
    SOURCE,
    Envelope,
    corrected,
    killed,
    pinned,
    posted,
    published,
    retracted,
    revised,
    writethru,
)
from tests.integration.contents import contents
from tests.waiting import until

FAR = "2099-01-01T00:00:00Z"
FARTHER = "2099-01-02T00:00:00Z"
PAST = "2026-03-01T00:00:00Z"
#: A desk check found something that an editor has to see.
FOUND = Checked(({"check": "length", "detail": "It is long.", "pointer": "/data/text"},), wait=True)


class Desk:
    """An article's newsroom: files, releases, spikes, and sees what there is."""

    def __init__(self, redis: Redis, installation: Installation) -> None:
        self.redis = redis
        self.installation = installation
        self.appender = Appender(redis, installation, "fsync")
        self._release = Script("services.ingest", *RELEASE)
        self.queue = Queue(redis, installation.lanes)

    @property
    def keys(self) -> ArticleKeys:
        return self.installation.lanes.of(SLUG).article(SLUG)

    async def file(self, *envelopes: Envelope) -> list[Receipt]:
        return await self.appender.append([parse_event(envelope) for envelope in envelopes])

    async def check(self, *envelopes: Envelope) -> list[Receipt]:
        """File what a desk check has something to say about."""
        events = [parse_event(envelope) for envelope in envelopes]
        return await self.appender.append(events, [FOUND] * len(events))

    async def statuses(self, *envelopes: Envelope) -> list[str]:
        receipts = await self.file(*envelopes)
        return [each.problem["code"] if each.problem else each.status for each in receipts]

    async def release(self, envelope: Envelope | None = None) -> list[tuple[str, str, str]]:
        """Release what is due, or the event in *envelope*; return what became of which."""
        name = f"{envelope['id']} {envelope['source']}" if envelope else ""
        outcomes = await release(self.redis, self._release, self.keys.lane, SLUG, name)
        return [(each.result, each.name.split()[0], each.detail) for each in outcomes]

    async def spike(self, envelope: Envelope) -> list[str]:
        held = next(each for each in await self.held() if each.event_id == envelope["id"])
        return [name.split()[0] for name in await self.queue.spike(held)]

    async def held(self) -> list[Held]:
        records: Any = await self.redis.hgetall(self.keys.holds)
        return read_holds(SLUG, records)

    async def held_ids(self) -> list[str]:
        return [each.event_id for each in await self.held()]

    async def due(self) -> float | None:
        """When the engine is to be asked again, in milliseconds."""
        at: float | None = await self.redis.zscore(self.keys.lane.held, SLUG)
        return at

    async def ledger(self) -> list[str]:
        """Return the ids of the article's events."""
        records: Any = await self.redis.lrange(self.keys.ledger, 0, -1)
        return [orjson.loads(record)["event"]["id"] for record in records]

    async def texts(self) -> dict[str, str | None]:
        """Return what readers will see of each update."""
        records: Any = await self.redis.lrange(self.keys.ledger, 0, -1)
        article = replay(SLUG, [load_entry(record) for record in records])
        updates = article.updates.values()
        return {each.update_id: each.copy.text if each.copy else None for each in updates}


@pytest.fixture
async def installation(redis: Redis) -> Installation:
    return await open_installation(redis, 3)


@pytest.fixture
def desk(redis: Redis, installation: Installation) -> Desk:
    return Desk(redis, installation)


def soon(seconds: float = 0.3) -> str:
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.isoformat()


def ids(*envelopes: Envelope) -> list[str]:
    return [str(envelope["id"]) for envelope in envelopes]


async def test_an_embargoed_update_is_held_and_is_nowhere_that_others_look(desk: Desk) -> None:
    await desk.file(published())
    before = await contents(desk.redis)

    [receipt] = await desk.file(posted("u1", embargo_until=FAR))

    assert receipt.to_json() == {
        "id": receipt.id,
        "source": SOURCE,
        "article": SLUG,
        "status": "held",
        "durability": "fsync",
        "findings": [],
    }
    after = await contents(desk.redis)
    keys = desk.keys
    told = {keys.seen, keys.article, keys.posted, keys.holds, keys.lane.held}
    changed = {name.decode() for name in after if after.get(name) != before.get(name)}
    assert changed <= told
    assert [each.article for each in await desk.held()] == [SLUG]


@pytest.mark.parametrize("over", [PAST, "2026-03-01T09:00:00.000001+02:00"])
async def test_an_embargo_that_is_over_holds_nothing(desk: Desk, over: str) -> None:
    assert (
        await desk.statuses(
            published(embargo_until=over), posted("u1", embargo_until=over), writethru(headline="H")
        )
        == ["accepted"] * 3
    )
    assert await desk.held() == []
    assert await desk.due() is None


async def test_sent_again_a_held_event_is_a_duplicate_that_says_so(desk: Desk) -> None:
    update = posted("u1", embargo_until=FAR)
    await desk.file(published(), update)
    before = await contents(desk.redis)

    [again] = await desk.file(update)
    [other] = await desk.file({**update, "data": {**update["data"], "text": "Other."}})

    assert again.to_json()["held"] is True
    assert (again.status, again.seq, again.chain) == ("duplicate", None, None)
    assert other.problem
    assert other.problem["code"] == "id-conflict"
    assert await contents(desk.redis) == before


async def test_a_release_numbers_stores_and_wakes_as_an_append_does(desk: Desk) -> None:
    update = posted("u1", "Held text.", at="2026-03-01T10:00:00Z", embargo_until=FAR)
    await desk.file(published(), update, posted("u2"))

    assert await desk.release(update) == [("released", update["id"], "3")]

    assert (await desk.ledger())[2:] == [update["id"]]
    wakeups: Any = await desk.redis.xrange(desk.keys.lane.events)
    assert wakeups[-1][1][b"seq"] == b"3"
    assert orjson.loads(wakeups[-1][1][b"data"]) == update
    assert await desk.redis.hgetall(desk.keys.posted) == {b"u1": b"live", b"u2": b"live"}
    assert await desk.held() == []
    assert await desk.due() is None
    [again] = await desk.file(update)
    record: Any = await desk.redis.lindex(desk.keys.ledger, 2)
    entry = load_entry(record)
    assert (again.status, again.seq, again.chain) == ("duplicate", 3, entry.chain)
    mark = fingerprint(desk.installation.key, update)
    assert orjson.loads(record)["fingerprint"] == mark


async def test_a_ledger_with_releases_and_held_events_verifies(desk: Desk) -> None:
    update = posted("u1", embargo_until=FAR)
    await desk.file(published(), update, posted("u2", embargo_until=FAR), posted("u3"))
    await desk.release(update)
    spiked = posted("u4", embargo_until=FAR)
    await desk.file(spiked)
    await desk.spike(spiked)

    found = await verify(desk.redis, desk.installation.lanes, desk.installation.key, SLUG)

    assert [fault for fault in found.differences if "ledger" in fault or "seen" in fault] == []


async def test_what_is_not_due_is_not_released(desk: Desk) -> None:
    await desk.file(published(), posted("u1", embargo_until=FAR))

    assert await desk.release() == []
    assert await desk.held_ids() != []


async def test_releases_come_in_the_order_of_time_then_of_filing(desk: Desk) -> None:
    late, early, too = soon(0.4), soon(0.3), soon(0.3)
    filed = [
        posted("u1", embargo_until=late),
        posted("u2", embargo_until=early),
        posted("u3", embargo_until=early),
        posted("u4", embargo_until=max(early, too)),
    ]
    await desk.file(published(id="open"), *filed)
    at = await desk.due()
    assert at is not None

    async def all_due() -> bool:
        seconds, micros = await desk.redis.time()
        return seconds * 1e3 + micros / 1e3 > at + 200

    await until(all_due)
    released = await desk.release()

    assert [event_id for _, event_id, _ in released] == ids(*filed[1:], filed[0])
    assert await desk.ledger() == ["open", *ids(*filed[1:], filed[0])]


async def test_one_releaser_of_many_releases_each_event_within_a_second_of_its_time(
    desk: Desk, engine: Engine
) -> None:
    times = [soon(0.2 + n / 20) for n in range(10)]
    await desk.file(published(id="open"), *(posted(f"u{n}", embargo_until=at)
                                           for n, at in enumerate(times)))  # fmt: skip
    async with connect(engine.url) as one, connect(engine.url) as two:
        rivals = [Releaser(client, desk.installation.lanes) for client in (one, two, desk.redis)]
        tasks = [asyncio.create_task(rival.run()) for rival in rivals]
        await until(lambda: _long(desk, 11), 10)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    records: Any = await desk.redis.lrange(desk.keys.ledger, 1, -1)
    for record, at in zip(map(orjson.loads, records), times, strict=True):
        assert record["event"]["data"]["embargo_until"] == at
        after = record["recorded"] / 1e3 - datetime.fromisoformat(at).timestamp()
        assert 0 <= after < 1


async def _long(desk: Desk, length: int) -> bool:
    found: int = await desk.redis.llen(desk.keys.ledger)
    return found >= length


async def test_acts_on_a_held_update_are_held_and_released_right_after_it(desk: Desk) -> None:
    update = posted("u1", "First.", embargo_until=FAR)
    acts = [
        revised("u1", text="Second."),
        corrected("u1", "Third.", "It was second."),
        pinned("u1"),
    ]

    assert await desk.statuses(published(id="open"), update, *acts) == ["accepted", *["held"] * 4]
    held = await desk.held()
    assert [each.behind for each in held] == [None, *[update["id"]] * 3]
    assert {each.at for each in held} == {held[0].due}
    await desk.file(posted("u2", id="between"))
    released = await desk.release(update)

    assert [each[0] for each in released] == ["released"] * 4
    assert await desk.ledger() == ["open", "between", *ids(update, *acts)]
    assert (await desk.texts())["u1"] == "Third."


async def test_what_builds_on_another_is_not_released_before_it(desk: Desk) -> None:
    update, correction = posted("u1", embargo_until=FAR), corrected("u1")
    await desk.file(published(), update, correction)

    assert await desk.release(correction) == [("behind", correction["id"], "")]
    assert await desk.held_ids() == ids(update, correction)


@pytest.mark.parametrize("take_back", [retracted, builders.redacted])
async def test_a_held_update_that_is_taken_back_never_was(desk: Desk, take_back: Any) -> None:
    update, other = posted("u1", embargo_until=FAR), posted("u2", embargo_until=FAR)
    await desk.file(published(id="open"), update, corrected("u1"), other)

    retraction = take_back("u1")
    [receipt] = await desk.file(retraction)

    assert receipt.status == "held"
    assert await desk.held_ids() == ids(other)
    assert await desk.ledger() == ["open"]
    assert await desk.statuses(corrected("u1"), posted("u1")) == [
        "update-retracted",
        "update-exists",
    ]
    again = await desk.file(update, retraction)
    assert [each.to_json().get("spiked") for each in again] == [True, True]


async def test_updates_of_an_article_under_embargo_open_with_it_in_the_order_of_filing(
    desk: Desk,
) -> None:
    opening = published(embargo_until=FAR)
    updates = [posted("u1"), posted("u2"), corrected("u1", "Corrected."), builders.closed()]
    own = posted("u3", embargo_until=FARTHER)

    assert await desk.statuses(opening, *updates[:2], own, *updates[2:]) == ["held"] * 6
    assert await desk.statuses(published(), corrected("u9")) == [
        "article-exists",
        "unknown-update",
    ]
    assert await desk.ledger() == []
    released = await desk.release(opening)

    assert [event_id for _, event_id, _ in released] == ids(opening, *updates)
    assert await desk.ledger() == ids(opening, *updates)
    assert await desk.held_ids() == ids(own)
    assert await desk.due() == datetime.fromisoformat(FARTHER).timestamp() * 1e3


async def test_an_embargoed_writethru_waits_and_keeps_nobody_back(desk: Desk) -> None:
    rewrite = writethru(headline="Later", embargo_until=FAR)

    assert await desk.statuses(
        published(id="open"), rewrite, writethru(headline="Now", id="now"), posted("u1", id="u1")
    ) == ["accepted", "held", "accepted", "accepted"]
    await desk.release(rewrite)

    assert await desk.ledger() == ["open", "now", "u1", rewrite["id"]]


async def test_a_kill_spikes_all_that_is_held(desk: Desk) -> None:
    update, rewrite = posted("u1", embargo_until=FAR), writethru(body="B", embargo_until=FAR)
    await desk.file(published(id="open"), update, corrected("u1"), rewrite)

    assert await desk.statuses(killed(id="kill")) == ["accepted"]

    assert await desk.ledger() == ["open", "kill"]
    assert await desk.held() == []
    assert await desk.due() is None
    assert [each.to_json().get("spiked") for each in await desk.file(update, rewrite)] == [True] * 2


async def test_a_kill_of_an_article_that_was_never_released_leaves_no_trace_of_it(
    desk: Desk,
) -> None:
    opening, kill = published(embargo_until=FAR), killed()
    await desk.file(opening, posted("u1"))

    assert await desk.statuses(kill) == ["held"]

    assert await desk.ledger() == []
    assert await desk.held() == []
    assert await desk.statuses(published(), posted("u2"), kill) == [
        "article-killed",
        "article-killed",
        "duplicate",
    ]


async def test_what_may_not_be_any_more_when_it_is_due_is_stopped_and_kept(desk: Desk) -> None:
    update = posted("u1", embargo_until=soon(0.1))
    correction = corrected("u1")
    await desk.file(published(id="open"), update, correction, builders.closed(id="close"))

    outcomes = await until(desk.release)

    assert outcomes == [("stopped", update["id"], "article-closed")]
    first, second = await desk.held()
    assert (first.stop, second.stop) == ("article-closed", "")
    assert first.at == second.at == await desk.due() == float("inf")
    assert await desk.release() == []

    # And when the reason is gone, an editor says so.
    assert await desk.release(update) == [("stopped", update["id"], "article-closed")]
    await desk.file(builders.reopened(id="reopen"))
    assert await desk.release() == []
    assert [each[0] for each in await desk.release(update)] == ["released"] * 2
    assert await desk.ledger() == ["open", "close", "reopen", *ids(update, correction)]


async def test_the_base_of_a_held_event_is_judged_when_it_is_filed(desk: Desk) -> None:
    update = posted("u1", embargo_until=FAR)

    assert await desk.statuses(published(), {**update, "baseversion": 2}) == ["accepted", "stale"]
    assert await desk.statuses({**update, "baseversion": 1}, posted("u2")) == ["held", "accepted"]
    assert [each[0] for each in await desk.release(update)] == ["released"]


async def test_what_a_check_holds_waits_for_an_editor_with_what_was_found(desk: Desk) -> None:
    await desk.file(published(id="open"))
    update = posted("u1")

    [receipt] = await desk.check(update)

    assert receipt.status == "held"
    assert receipt.to_json()["findings"] == list(FOUND.findings)
    [held] = await desk.held()
    assert (held.stop, held.at, list(held.findings)) == ("check", float("inf"), [*FOUND.findings])
    assert await desk.release() == []
    assert await desk.release(update) == [("released", update["id"], "2")]


async def test_findings_that_hold_nothing_are_in_the_receipt(desk: Desk) -> None:
    found = Checked(FOUND.findings)

    [receipt] = await desk.appender.append([parse_event(published())], [found])

    assert receipt.status == "accepted"
    assert receipt.to_json()["findings"] == list(FOUND.findings)


async def test_an_editor_who_lifts_a_check_does_not_break_the_embargo_beside_it(
    desk: Desk,
) -> None:
    await desk.file(published(id="open"))
    update = posted("u1", embargo_until=FAR)
    await desk.check(update)
    at = f"{datetime.fromisoformat(FAR).timestamp() * 1e3:.0f}"

    assert await desk.release(update) == [("lifted", update["id"], at)]
    assert await desk.due() == float(at)
    assert await desk.ledger() == ["open"]
    assert await desk.release(update) == [("released", update["id"], "2")]


async def test_what_is_spiked_was_never_filed_but_its_id_stays_known(desk: Desk) -> None:
    update, correction = posted("u1", embargo_until=FAR), corrected("u1")
    await desk.file(published(), update, correction, posted("u2", embargo_until=FAR))

    assert await desk.spike(update) == ids(update, correction)

    assert len(await desk.held()) == 1
    assert await desk.statuses(update, corrected("u1"), posted("u1", id="anew")) == [
        "duplicate",
        "unknown-update",
        "accepted",
    ]


async def test_spiking_an_opening_frees_its_slug(desk: Desk) -> None:
    opening = published(embargo_until=FAR)
    await desk.file(opening, posted("u1"))

    await desk.spike(opening)

    assert await desk.held() == []
    assert await desk.statuses(posted("u1"), published(), posted("u1")) == [
        "unknown-article",
        "accepted",
        "accepted",
    ]


async def test_what_takes_a_text_back_waits_for_no_editor(desk: Desk) -> None:
    await desk.file(published(), posted("u1"))

    receipts = await desk.check(retracted("u1"), killed())

    assert [receipt.status for receipt in receipts] == ["accepted", "accepted"]


@pytest.mark.parametrize("name", ["seen", "posted", "ledger", "holds", "events", "dirty", "held"])
async def test_a_record_of_the_wrong_kind_is_never_half_released(desk: Desk, name: str) -> None:
    update = posted("u1", embargo_until=FAR)
    await desk.file(published(), update)
    keys = desk.keys
    key = getattr(keys.lane if name in ("events", "dirty", "held") else keys, name)
    await desk.redis.delete(key)
    await desk.redis.set(key, "not what it should be")
    before = await contents(desk.redis)

    with pytest.raises(Exception, match="WRONGTYPE"):
        await desk.release(update)

    assert await contents(desk.redis) == before


async def test_a_held_record_that_cant_be_read_stops_its_article_only(
    desk: Desk, installation: Installation
) -> None:
    await desk.file(published(), posted("u1", embargo_until=soon(0.05)))
    await desk.redis.hset(desk.keys.holds, "other /cms", "{}")
    lane = desk.keys.lane
    other = next(f"s{n}" for n in range(99) if installation.lanes.of(f"s{n}") == lane)
    await desk.file(published(slug=other), posted("u1", slug=other, embargo_until=soon(0.05)))
    releaser = Releaser(desk.redis, installation.lanes)

    async def released() -> bool:
        await releaser.turn(lane)
        return bool(await desk.redis.llen(lane.article(other).ledger) == 2)

    await until(released)
    assert await desk.redis.llen(desk.keys.ledger) == 1

    # Nor does it stand in the way of a kill.
    assert await desk.statuses(killed()) == ["accepted"]
    assert await desk.redis.hlen(desk.keys.holds) == 0
    assert await desk.due() is None


async def test_a_lane_whose_record_is_damaged_keeps_no_other_back(
    desk: Desk, installation: Installation
) -> None:
    lanes = installation.lanes
    other = next(f"s{n}" for n in range(99) if lanes.of(f"s{n}") != desk.keys.lane)
    await desk.redis.set(desk.keys.lane.held, "damaged")
    await desk.file(published(slug=other), posted("u1", slug=other, embargo_until=soon(0.05)))
    running = asyncio.create_task(Releaser(desk.redis, lanes).run())

    async def released() -> bool:
        return bool(await desk.redis.llen(lanes.of(other).article(other).ledger) == 2)

    await until(released)
    running.cancel()
    await asyncio.wait({running})


async def test_readiness_tells_what_is_late_and_fails_only_where_nothing_is_released(
    desk: Desk, installation: Installation
) -> None:
    releaser = Releaser(desk.redis, installation.lanes)
    lane = desk.keys.lane
    await releaser.turn(lane)
    well = releaser.check()

    await desk.redis.zadd(lane.held, {SLUG: 1})
    await desk.redis.hset(desk.keys.holds, "other /cms", "{}")
    await releaser.turn(lane)
    late = releaser.check()
    await desk.redis.delete(lane.held)
    await desk.redis.set(lane.held, "damaged")
    await releaser.turn(lane)
    failing = releaser.check()

    assert (well.ok, late.ok, failing.ok) == (True, True, False)
    assert "due for" in late.detail
    assert failing.detail == "can't be done (ResponseError)"
