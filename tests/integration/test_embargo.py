"""An embargo on a real stack: not a byte before its time at any exit, and on time at all."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import orjson
import pytest

from tests.builders import SLUG, corrected, killed, posted, published, retracted
from tests.integration.newsstand import open_stream
from tests.stack import ENGINE, Stack, running
from tests.waiting import until_sync

SECRET = "The minister resigns at noon"
EXITS = (
    "", ".html", ".txt", ".json", "/changes?since=0", "/corrections", "/corrections.json",
    "/updates/secret", "/pages/1",
)  # fmt: skip
#: Longer than it takes to look everywhere once.
AHEAD_SECONDS = 3.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("embargo"), WRITETHRU_LOG_LEVEL="debug") as stack:
        yield stack


def ahead(seconds: float = AHEAD_SECONDS) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def seen(stack: Stack, slug: str, secret: str = SECRET) -> set[str]:
    """Return where *secret* is, at deliver's exits and in what ingest says of the article."""
    paths = ["/", "/latest.json", *(f"/articles/{slug}{path}" for path in EXITS)]
    found = {path for path in paths if secret in stack.get(path).text}
    ledger = httpx2.get(f"{stack.ingest}/v1/articles/{slug}/events", trust_env=False).text
    return found | ({"ledger"} if secret in ledger else set())


def statuses(receipts: list[dict[str, Any]]) -> list[str]:
    return [receipt["status"] for receipt in receipts]


def recorded(stack: Stack, slug: str) -> list[dict[str, Any]]:
    """Return the article's events as ingest gives them."""
    answer = httpx2.get(f"{stack.ingest}/v1/articles/{slug}/events", trust_env=False)
    return [orjson.loads(line) for line in answer.text.splitlines()]


async def test_nothing_of_it_is_seen_before_its_time_and_all_of_it_everywhere_after(
    stack: Stack,
) -> None:
    # Given a reader who follows an article
    stack.file([published(), posted("first")])
    before = stack.page(SLUG, 2)
    since = f"{before['version']}.{before['chain'][:12]}"
    stream = await open_stream(stack.deliver_port, f"/articles/{SLUG}/live?since={since}")
    firehose = await open_stream(stack.deliver_port, "/live")

    # When an update under embargo is filed, and corrected
    at = ahead()
    held = posted("secret", SECRET, embargo_until=at.isoformat())
    receipts = stack.file([held, corrected("secret", f"{SECRET}, he says.", "Attributed."), held])

    # Then it is held, and seen nowhere until its time
    assert statuses(receipts) == ["held", "held", "duplicate"]
    assert [receipt.get("seq") for receipt in receipts] == [None] * 3
    seen_before = seen(stack, SLUG)
    assert datetime.now(UTC) < at, "it took too long to look"
    assert seen_before == set()

    # And then everywhere, on time, with its time and the correction
    event = await stream.event(AHEAD_SECONDS + 10)
    assert datetime.now(UTC) >= at
    assert event is not None
    assert event.data["from"] == 2
    assert [each["update"]["text"] for each in event.data["changes"]] == [f"{SECRET}, he says."]
    thin = await firehose.event()
    assert thin is not None
    assert thin.data["article"] == SLUG
    page = stack.page(SLUG, 4)
    shown = page["updates"][-1]
    assert datetime.fromisoformat(shown["time"]) == at
    assert shown["notes"][0]["note"] == "Attributed."
    assert seen(stack, SLUG) >= {
        *(f"/articles/{SLUG}{path}" for path in ("", ".html", ".txt", ".json")),
        f"/articles/{SLUG}/changes?since=0",
        "ledger",
    }
    [again] = stack.file([held])
    assert (again["status"], again["seq"]) == ("duplicate", 3)
    for each in (stream, firehose):
        each.close()


async def test_a_coverage_under_embargo_is_no_article_until_it_opens_as_a_whole(
    stack: Stack,
) -> None:
    at, slug = ahead(), "budget"
    opening = published(f"{SECRET}!", slug=slug, embargo_until=at.isoformat())
    receipts = stack.file([opening, *(posted(f"u{n}", SECRET, slug=slug) for n in range(3))])
    answers = {stack.get(f"/articles/{slug}{path}").status_code for path in ("", ".json", ".txt")}
    seen_before = seen(stack, slug)
    assert datetime.now(UTC) < at, "it took too long to look"

    assert statuses(receipts) == ["held"] * 4
    assert answers == {404}
    assert seen_before == set()

    page = await asyncio.to_thread(stack.page, slug, 4)
    assert page["update_count"] == 3
    assert datetime.now(UTC) >= at
    assert "/" in seen(stack, slug, f"{SECRET}!")


async def test_what_was_taken_back_never_comes(stack: Stack) -> None:
    at, slug, gone, text = ahead(1.0).isoformat(), "port", "docks", "All docks close."
    stack.file([
        published(slug=slug), posted("secret", text, slug=slug, embargo_until=at),
        retracted("secret", slug=slug),
        published(slug=gone), posted("secret", text, slug=gone, embargo_until=at),
        killed(slug=gone),
    ])  # fmt: skip
    # A later one is released after it would have been.
    last = ahead(1.5).isoformat()
    stack.file([posted("last", "That was it.", slug=slug, embargo_until=last)])

    page = await asyncio.to_thread(stack.page, slug, 2)

    assert [update["update_id"] for update in page["updates"]] == ["last"]
    assert seen(stack, slug, text) == set()
    assert stack.get(f"/articles/{gone}.json").status_code == 410
    assert len(recorded(stack, gone)) == 2


@pytest.mark.parametrize("victim", ["services.ingest", ENGINE])
async def test_a_death_meanwhile_loses_nothing_and_doubles_nothing(
    stack: Stack, victim: str
) -> None:
    slug = f"death-of-{'engine' if victim == ENGINE else 'ingest'}"
    at = ahead(1.0)
    events = [
        posted(
            f"u{n}", SECRET, slug=slug, embargo_until=(at + timedelta(seconds=n / 10)).isoformat()
        )
        for n in range(8)
    ]
    assert statuses(stack.file([published(slug=slug), *events]))[1:] == ["held"] * 8

    os.kill(stack.pid_of(victim), signal.SIGKILL)
    page = await asyncio.to_thread(stack.page, slug, 9)

    assert [update["update_id"] for update in page["updates"]] == [f"u{n}" for n in range(8)]
    until_sync(lambda: _answers(stack), 30)
    assert statuses(stack.file(events)) == ["duplicate"] * 8
    assert len(recorded(stack, slug)) == 9


def _answers(stack: Stack) -> bool:
    try:
        return httpx2.get(f"{stack.ingest}/readyz", trust_env=False).is_success
    except httpx2.TransportError:
        return False


def test_the_logs_have_which_events_were_released_and_nothing_of_their_text(stack: Stack) -> None:
    said = stack.said()

    assert "event.released" in said
    assert SECRET not in said
