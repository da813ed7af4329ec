"""`writethru page --version` and `diff`, as a person in a terminal has them."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator

import httpx2
import orjson
import pytest
from redis.asyncio import Redis

from shared.runtime.engine import Engine
from tests.builders import SLUG, corrected, killed, posted, published, retracted, writethru
from tests.integration.newsstand import Newsstand, a_key, open_newsstand


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url) as stand:
        await stand.publish(
            published("The bridge is open"),
            posted("u1", "Ten cars crossed."),
            corrected("u1", "Two cars crossed.", "They were two."),
            writethru(headline="The bridge is closed"),
        )
        yield stand


async def run(stand: Newsstand, *words: str) -> tuple[int, str, str]:
    """Run the command on the newsstand; return its status and what it said on both streams."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", *words),
        *("--from", f"http://127.0.0.1:{stand.port}"),
        stdout=PIPE,
        stderr=PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(), complained.decode()


async def test_an_article_prints_as_it_stood_at_a_version_or_a_time(stand):
    token = (await a_key(stand))["authorization"].split()[1]

    status, page, _ = await run(stand, "page", SLUG, "--version", "2", "--key", token)
    assert (status, "Ten cars crossed." in page, "is open" in page) == (0, True, True)
    again = await run(
        stand, "page", SLUG, "--at", "2999-01-01T00:00:00+01:00", "--key", token,
        "--format", "json",
    )  # fmt: skip
    assert orjson.loads(again[1])["version"] == 4


async def test_a_link_for_a_browser_opens_the_version(stand):
    token = (await a_key(stand))["authorization"].split()[1]

    status, link, _ = await run(stand, "page", SLUG, "--version", "2", "--link", "--key", token)

    assert status == 0
    here = httpx2.URL(link.strip()).copy_with(port=stand.port)
    answer = await stand.http.get(here)
    assert answer.status_code == 200
    assert "version 2 of 4" in answer.text


async def test_a_difference_is_marked_in_words_where_there_is_no_terminal(stand):
    token = (await a_key(stand))["authorization"].split()[1]

    status, said, _ = await run(stand, "diff", SLUG, "2", "4", "--key", token)

    assert status == 0
    assert said == (
        "Headline\n"
        "  The bridge is [-open-]{+closed+}\n"
        "\n"
        "Update u1 corrected\n"
        "  [-Ten -]{+Two +}cars crossed.\n"
        "  corrected: They were two.\n"
    )
    status, said, _ = await run(stand, "diff", SLUG, "2", "4", "--json", "--key", token)
    assert orjson.loads(said)["to"]["version"] == 4
    assert "no difference" in (await run(stand, "diff", SLUG, "2", "2", "--key", token))[1]


async def test_what_was_taken_back_is_in_neither(stand):
    token = (await a_key(stand))["authorization"].split()[1]
    await stand.publish(retracted("u1"))
    for words in (("diff", SLUG, "1", "3"), ("page", SLUG, "--version", "3")):
        assert "cars" not in (await run(stand, *words, "--key", token))[1]
    await stand.publish(killed("Legal advice."))
    for words in (("diff", SLUG, "1", "3"), ("page", SLUG, "--version", "3")):
        status, said, _ = await run(stand, *words, "--key", token)
        assert (status, "Legal advice." in said, "bridge is" in said) == (0, True, False)
        assert said.startswith("🚫 Withdrawn: ")


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (("page", SLUG, "--version", "2"), 1, "this takes a key that may read the article"),
        (("diff", SLUG, "1", "2"), 1, "this takes a key"),
        (("page", SLUG, "--version", "2", "--key", "wt_00_no"), 1, "No key is this one"),
        (("page", SLUG, "--version", "2", "--at", "2026-01-01T00:00:00Z"), 2, "not both"),
        (("page", SLUG, "--link"), 2, "name it with --version"),
        (("diff", SLUG, "1"), 2, "Missing argument 'B'"),
        (("page", "no-such-ferry"), 1, "there is no article no-such-ferry at http"),
    ],
)
async def test_a_failure_is_one_line(stand, words, status, complaint):
    found, said, complained = await run(stand, *words)

    assert (found, said, complained.count("\n")) == (status, "", 1)
    assert complaint in complained


async def test_versions_that_are_not_there_are_told(stand):
    token = (await a_key(stand))["authorization"].split()[1]
    for words in (("page", SLUG, "--version", "9"), ("diff", SLUG, "1", "9")):
        status, _, complained = await run(stand, *words, "--key", token)
        assert (status, "has 4 versions so far" in complained) == (1, True)
    status, _, complained = await run(stand, "diff", SLUG, "3", "1", "--key", token)
    assert (status, "Name the earlier version first" in complained) == (1, True)
