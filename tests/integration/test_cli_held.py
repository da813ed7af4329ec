"""`writethru held` on a real engine: what an editor sees of held events, and does with them."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.ingest.append import Appender, Checked
from shared.contract.events import parse_event
from shared.runtime.engine import Engine
from shared.runtime.installation import Installation, open_installation
from tests import builders
from tests.builders import SLUG, SOURCE, Envelope, corrected, posted, published, writethru
from tests.integration.test_cli_verify import writethru as command

FAR = "2099-01-01T00:00:00Z"
SECRET = "The minister resigns at noon."
FOUND = Checked(({"check": "length", "detail": "It is long.", "pointer": "/data/text"},), wait=True)


@pytest.fixture
async def installation(redis: Redis) -> Installation:
    return await open_installation(redis, 12)


async def file(redis: Redis, here: Installation, *envelopes: Envelope) -> None:
    receipts = await Appender(redis, here, "fsync").append([parse_event(e) for e in envelopes])
    assert {receipt.status for receipt in receipts} <= {"accepted", "held"}


async def check(redis: Redis, here: Installation, envelope: Envelope) -> None:
    await Appender(redis, here, "fsync").append([parse_event(envelope)], [FOUND])


async def held(engine: Engine, *words: str) -> tuple[int | None, list[str], str]:
    return await command("held", *words, "--redis-url", engine.url)


async def listed(engine: Engine, *words: str) -> list[dict[str, Any]]:
    status, lines, said = await held(engine, "list", "--json", *words)
    assert (status, said) == (0, "") or not lines
    return [orjson.loads(line) for line in lines]


async def ledger(redis: Redis, here: Installation) -> int:
    length: int = await redis.llen(here.lanes.of(SLUG).article(SLUG).ledger)
    return length


async def test_the_list_says_why_and_until_when_and_nothing_of_the_text(
    redis: Redis, engine: Engine, installation: Installation
) -> None:
    await file(
        redis, installation, published(), posted("u1", SECRET, id="u1", embargo_until=FAR),
        corrected("u1", SECRET, SECRET, id="fix"),
    )  # fmt: skip
    await check(redis, installation, posted("u2", SECRET, id="u2"))

    _, lines, _ = await held(engine, "list")
    first, second, third = await listed(engine)

    assert [line.split()[:4] for line in lines] == [
        ["ID", "ARTICLE", "ACT", "UPDATE"],
        ["u1", SLUG, "update.posted", "u1"],
        ["fix", SLUG, "update.corrected", "u1"],
        ["u2", SLUG, "update.posted", "u2"],
    ]
    assert [line.split(maxsplit=4)[4] for line in lines] == [
        "RELEASED",
        FAR,
        "with u1",
        "when an editor releases it: length",
    ]
    assert (first["reason"], first["until"], first["behind"]) == ("embargo", FAR, None)
    assert (second["reason"], second["until"], second["behind"]) == ("behind", FAR, "u1")
    assert (third["reason"], third["until"]) == ("check", None)
    assert third["findings"] == list(FOUND.findings)
    assert SECRET not in str((lines, first, second, third))
    assert await listed(engine, "another-article") == []


async def test_show_has_the_text_and_what_was_found(
    redis: Redis, engine: Engine, installation: Installation
) -> None:
    await file(redis, installation, published())
    await check(redis, installation, posted("u2", SECRET, id="u2"))

    _, lines, _ = await held(engine, "show", "u2")
    _, (line,), _ = await held(engine, "show", "u2", "--json")

    assert lines[0] == f"u2 of {SOURCE}: update.posted of {SLUG}"
    assert f"text: {SECRET}" in lines
    assert lines[1].endswith("; released when an editor releases it: length")
    assert "found at /data/text, length: It is long." in lines
    assert orjson.loads(line)["event"]["data"]["text"] == SECRET


async def test_a_release_makes_it_an_event_and_says_which(
    redis: Redis, engine: Engine, installation: Installation
) -> None:
    await file(
        redis, installation, published(), posted("u1", SECRET, id="u1", embargo_until=FAR),
        corrected("u1", id="fix"),
    )  # fmt: skip

    status, lines, said = await held(engine, "release", "u1")

    assert (status, lines) == (0, [])
    assert said.splitlines() == [
        f"writethru: u1 is released, as event 2 of {SLUG}",
        f"writethru: fix is released, as event 3 of {SLUG}",
    ]
    assert await ledger(redis, installation) == 3
    assert await listed(engine) == []


async def test_what_an_editor_cant_release_is_said_in_one_line(
    redis: Redis, engine: Engine, installation: Installation
) -> None:
    await file(
        redis, installation, published(), posted("u1", id="u1", embargo_until=FAR),
        corrected("u1", id="fix"), builders.closed(),
    )  # fmt: skip

    behind, unknown, closed = [
        await held(engine, "release", event_id) for event_id in ("fix", "other", "u1")
    ]

    assert behind == (1, [], "writethru held: fix waits for u1; release that\n")
    assert unknown == (
        1, [], "writethru held: no event other is held; see writethru held list\n"
    )  # fmt: skip
    status, _, said = closed
    assert status == 1
    assert said.startswith("writethru held: u1 stays held, article-closed: ")
    assert "reopened" in said
    assert await ledger(redis, installation) == 2


async def test_a_check_that_is_lifted_leaves_the_embargo(
    redis: Redis, engine: Engine, installation: Installation
) -> None:
    await file(redis, installation, published())
    await check(redis, installation, posted("u1", id="u1", embargo_until=FAR))

    _, _, said = await held(engine, "release", "u1")

    assert said == f"writethru: u1 may be released now; its time is {FAR}\n"
    [facts] = await listed(engine)
    assert (facts["reason"], facts["until"]) == ("embargo", FAR)


async def test_an_id_that_several_have_wants_its_article_or_source(
    redis: Redis, engine: Engine, installation: Installation
) -> None:
    for slug in (SLUG, "ferry-strike"):
        await file(redis, installation, published(id="a", slug=slug, embargo_until=FAR))
    rewrite = writethru(id="a", source="/wire", headline="H", embargo_until=FAR)
    await file(redis, installation, rewrite)

    status, _, said = await held(engine, "spike", "a")
    _, _, spiked = await held(engine, "spike", "a", "--article", SLUG, "--source", "/wire")

    assert status == 1
    assert "3 held events are called a: " in said
    assert "say which with --article and --source" in said
    assert spiked == "writethru: a is spiked\n"
    assert len(await listed(engine)) == 2


@pytest.mark.parametrize(("answer", "left"), [("n", 1), ("y", 0)])
async def test_at_a_terminal_a_spike_is_asked_about(
    redis: Redis, engine: Engine, installation: Installation, answer: str, left: int
) -> None:
    await file(redis, installation, published(), posted("u1", id="u1", embargo_until=FAR))
    terminal, its = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "held", "spike", "u1", "--redis-url", engine.url),
        stdin=its,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    os.write(terminal, f"{answer}\n".encode())
    out, err = (said.decode() for said in await process.communicate())
    os.close(terminal)
    os.close(its)

    assert out == f"Spike u1, update.posted of {SLUG}, for good? [y/N] "
    assert (process.returncode == 0, len(await listed(engine))) == (not left, left)
    assert err == ("writethru held: nothing was spiked\n" if left else "writethru: u1 is spiked\n")


async def test_a_damaged_record_is_said_in_one_line(
    redis: Redis, engine: Engine, installation: Installation
) -> None:
    await file(redis, installation, published(), posted("u1", id="u1", embargo_until=FAR))
    await redis.hset(installation.lanes.of(SLUG).article(SLUG).holds, "x /cms", "{}")

    status, lines, said = await held(engine, "list")

    assert (status, lines) == (1, [])
    assert said == (
        f"writethru held: the held event x /cms of {SLUG} can't be read; "
        "restore the engine's data from a backup\n"
    )
