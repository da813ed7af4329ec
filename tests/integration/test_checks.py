"""The desk's checks, through ingest's doors on real sockets and a real engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.ingest.core.holding import read_holds
from shared.runtime.api_keys import create
from shared.runtime.engine import Engine
from shared.runtime.installation import open_installation
from shared.runtime.keys import FINDINGS, INBOX, REFUSED, ArticleKeys
from tests.builders import SLUG, Envelope, corrected, posted, published, writethru
from tests.integration.frontdesk import LANES, Frontdesk, frontdesk
from tests.waiting import until

CUT = "The court heard three witnesses today. The first of them told the jury that she had seen the"
TOLD = (
    "The city council has voted to close the old swimming pool in Mill Lane at the end of the "
    "season, after a debate of five hours in which nobody changed sides."
)
OLD = {"time": "2020-01-01T00:00:00Z"}
CUT_SHORT = {
    "check": "cut-short",
    "level": "warn",
    "detail": "The text stops in the middle of a sentence, at “the”. "
    "Send the rest of it, or end it.",
    "pointer": "/data/text",
    "span": [89, 92],
}


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Frontdesk]:
    async with frontdesk(redis, engine.url, no_auth=True) as desk:
        await desk.file(published())
        yield desk


async def receipts(desk: Frontdesk, *events: Envelope, token: str | None = None) -> list[Any]:
    answer = await desk.file_lines(*map(orjson.dumps, events), token=token)
    return list(answer.json()["receipts"])


def found(receipt: Any) -> list[str]:
    return [finding["check"] for finding in receipt["findings"]]


async def keys(redis: Redis) -> ArticleKeys:
    return (await open_installation(redis, LANES)).lanes.of(SLUG).article(SLUG)


async def told(redis: Redis) -> list[dict[str, Any]]:
    entries: Any = await redis.xrange(FINDINGS)
    return [{name.decode(): value.decode() for name, value in each.items()} for _, each in entries]


async def test_a_warning_rides_on_the_receipt_and_changes_nothing(desk: Frontdesk) -> None:
    [receipt] = await receipts(desk, posted("u1", CUT))

    assert receipt["status"] == "accepted"
    assert receipt["findings"] == [CUT_SHORT]
    line = (await desk.events(SLUG)).text.splitlines()[1]
    assert orjson.loads(line)["data"]["text"] == CUT


async def test_warnings_are_on_their_stream_without_words_of_the_copy(desk: Frontdesk) -> None:
    await receipts(desk, posted("u1", CUT), posted("u2", "All is well."))

    [entry] = await told(desk.redis)
    assert entry["article"] == SLUG
    assert (entry["update_id"], entry["status"], entry["seq"]) == ("u1", "accepted", "2")
    [finding] = orjson.loads(entry["findings"])
    assert finding == {name: CUT_SHORT[name] for name in ("check", "level", "pointer", "span")}


async def test_a_duplicate_has_no_findings_and_is_told_once(desk: Frontdesk) -> None:
    update = posted("u1", CUT)

    [first] = await receipts(desk, update)
    [second] = await receipts(desk, update)

    assert (second["status"], second["seq"]) == ("duplicate", first["seq"])
    assert second["findings"] == []
    assert len(await told(desk.redis)) == 1


async def test_what_was_told_before_is_found_in_a_batch_and_across_processes(
    desk: Frontdesk, redis: Redis, engine: Engine
) -> None:
    batch = await receipts(desk, posted("u1", TOLD), posted("u2", TOLD), posted("u3", "News."))
    async with frontdesk(redis, engine.url, no_auth=True) as other:
        [fourth] = await receipts(other, posted("u4", TOLD))
        [fifth] = await receipts(desk, posted("u5", TOLD + " It is from 1911."))

    assert [found(each) for each in batch] == [[], ["near-duplicate"], []]
    assert batch[1]["findings"][0]["update_id"] == "u1"
    assert batch[1]["findings"][0]["likeness"] == 1.0
    assert [each["update_id"] for each in fourth["findings"]] == ["u1", "u2"]
    assert [each["update_id"] for each in fifth["findings"]] == ["u1", "u2", "u4"]


async def test_an_update_is_no_duplicate_of_itself_nor_of_what_was_retracted(
    desk: Frontdesk,
) -> None:
    await receipts(desk, posted("u1", TOLD))
    [correction] = await receipts(desk, corrected("u1", TOLD + " It is from 1911."))
    gone = {**corrected("u1", ""), "type": "writethru.update.retracted", "id": "gone"}
    gone["data"] = {"update_id": "u1", "note": "Wrong."}
    [_, again] = await receipts(desk, gone, posted("u2", TOLD))

    assert correction["findings"] == []
    assert again["findings"] == []


async def test_an_article_that_a_process_does_not_know_is_read_from_its_end(
    desk: Frontdesk, redis: Redis, engine: Engine
) -> None:
    many = [posted(f"n{number}", f"Number {number}.") for number in range(130)]
    await receipts(desk, *many, posted("u1", TOLD))
    async with frontdesk(redis, engine.url, no_auth=True) as other:
        [early] = await receipts(other, posted("u2", "Old news.") | OLD)
        [late] = await receipts(other, posted("u3", TOLD))
    [here] = await receipts(desk, posted("u4", TOLD))

    assert found(early) == ["odd-time"]
    assert [each["update_id"] for each in late["findings"]] == ["u1"]
    assert [each["update_id"] for each in here["findings"]] == ["u1", "u3"]


async def test_what_is_held_waits_for_an_editor_with_its_findings(
    redis: Redis, engine: Engine
) -> None:
    async with frontdesk(redis, engine.url, no_auth=True, checks={"cut-short": "hold"}) as desk:
        await desk.file(published())
        [held, next_] = await receipts(desk, posted("u1", CUT), posted("u2", "All is well."))

    assert held["status"] == "held"
    assert "seq" not in held
    assert held["findings"] == [CUT_SHORT | {"level": "hold"}]
    assert (next_["status"], next_["seq"]) == ("accepted", 2)
    holds: Any = await redis.hgetall((await keys(redis)).holds)
    [waiting] = read_holds(SLUG, holds)
    assert (waiting.stop, list(waiting.findings)) == ("check", held["findings"])


async def test_what_is_refused_is_stored_nowhere_and_says_what_to_mend(
    redis: Redis, engine: Engine
) -> None:
    async with frontdesk(redis, engine.url, no_auth=True, checks={"cut-short": "refuse"}) as desk:
        await desk.file(published())
        answer = await desk.file(posted("u1", CUT))
        [mended] = await receipts(desk, posted("u1", CUT + " man.", id="mended"))

    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "invalid"
    assert problem["detail"] == "The desk's checks refuse this copy (cut-short); see errors."
    detail = f"cut-short: {CUT_SHORT['detail']}"
    assert problem["errors"] == [{"pointer": "/data/text", "detail": detail}]
    assert (mended["status"], mended["seq"]) == ("accepted", 2)
    assert await told(redis) == []


async def test_what_was_stored_is_a_duplicate_whatever_is_refused_by_now(
    desk: Frontdesk, redis: Redis, engine: Engine
) -> None:
    update = posted("u1", CUT)
    await receipts(desk, update)
    async with frontdesk(redis, engine.url, no_auth=True, checks={"cut-short": "refuse"}) as strict:
        [again] = await receipts(strict, update)
        unknown = await strict.file({**posted("u9", CUT), "subject": "nowhere"})

    assert (again["status"], again["seq"]) == ("duplicate", 2)
    assert unknown.json()["code"] == "unknown-article"


async def test_an_article_sets_levels_until_it_sets_others_in_every_process(
    desk: Frontdesk, redis: Redis, engine: Engine
) -> None:
    levels = {"cut-short": "hold", "near-duplicate": "off"}
    async with frontdesk(redis, engine.url, no_auth=True) as other:
        [_, held, twice] = await receipts(
            desk,
            writethru(checks=levels, id="w1"),
            posted("u1", CUT),
            posted("u2", TOLD),
        )
        there = await receipts(other, posted("u3", CUT), posted("u4", TOLD))
        await receipts(other, writethru(checks=None, id="w2"))
        back = await receipts(desk, posted("u5", CUT), posted("u6", TOLD))

    assert [held["status"], *(each["status"] for each in there)] == ["held", "held", "accepted"]
    assert [found(twice), found(there[1])] == [[], []]
    assert [each["status"] for each in back] == ["accepted", "accepted"]
    assert found(back[1]) == ["near-duplicate", "near-duplicate"]


async def test_an_article_opens_with_its_levels_and_is_judged_by_them(desk: Frontdesk) -> None:
    opening = published(checks={"placeholder": "refuse"}, body="TK people were hurt.")
    opening |= {"subject": "another", "id": "another"}
    answer = await desk.file(opening)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/data/body"


async def test_an_article_is_not_let_off_what_the_installation_holds(
    redis: Redis, engine: Engine
) -> None:
    async with frontdesk(redis, engine.url, no_auth=True, checks={"cut-short": "hold"}) as desk:
        await desk.file(published(checks={"cut-short": "off"}))
        [receipt] = await receipts(desk, posted("u1", CUT))
    assert receipt["status"] == "held"


async def test_a_key_sets_levels_for_what_it_files(redis: Redis, engine: Engine) -> None:
    async with frontdesk(redis, engine.url) as desk:
        _, wire = await create(redis, "wire", ("publish",), checks={"cut-short": "refuse"})
        _, cms = await create(redis, "cms", ("publish",), checks={"cut-short": "off"})
        await desk.file(published(), token=cms)
        [refused] = await receipts(desk, posted("u1", CUT), token=wire)
        [accepted] = await receipts(desk, posted("u1", CUT), token=cms)

    assert refused["problem"]["code"] == "invalid"
    assert (accepted["status"], accepted["findings"]) == ("accepted", [])


async def test_what_comes_by_the_inbox_is_looked_at_as_well(redis: Redis, engine: Engine) -> None:
    levels = {"cut-short": "hold", "placeholder": "refuse"}
    async with frontdesk(redis, engine.url, no_auth=True, checks=levels):
        for event in (published(), posted("u1", CUT), posted("u2", "Quote TK from the mayor.")):
            await redis.xadd(INBOX, {"data": orjson.dumps(event)})
        await redis.xadd(INBOX, {"data": orjson.dumps(posted("u3", "It rose[7]."))})

        async def settled() -> bool:
            return await redis.xlen(INBOX) == 0

        await until(settled)

    assert [entry["status"] for entry in await told(redis)] == ["held", "accepted"]
    entries: Any = await redis.xrange(REFUSED)
    [(_, refused)] = entries
    assert orjson.loads(refused[b"problem"])["errors"][0]["pointer"] == "/data/text"


async def test_a_desk_that_is_off_looks_at_nothing_and_reads_nothing(
    redis: Redis, engine: Engine
) -> None:
    async with frontdesk(redis, engine.url, no_auth=True, checks=None) as desk:
        await desk.file(published(checks={"cut-short": "refuse"}))
        before = await redis.info("commandstats")
        [receipt] = await receipts(desk, posted("u1", CUT))
        after = await redis.info("commandstats")

    assert (receipt["status"], receipt["findings"]) == ("accepted", [])
    reads = ("cmdstat_lrange", "cmdstat_xadd")
    calls = [[stats.get(name, {}).get("calls", 0) for name in reads] for stats in (before, after)]
    assert calls[1] == [calls[0][0], calls[0][1] + 1]  # the wake-up, from the script


@pytest.mark.parametrize(
    ("checks", "pointer"),
    [
        ({"cutshort": "warn"}, "/data/checks/cutshort"),
        ({"cut-short": "on"}, "/data/checks/cut-short"),
        ("warn", "/data/checks"),
    ],
)
async def test_levels_out_of_form_are_refused_by_their_pointer(
    desk: Frontdesk, checks: Any, pointer: str
) -> None:
    answer = await desk.file(writethru(checks=checks, id="w"))
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert "must be" in error["detail"]
