"""A text that must not exist: after a redaction no byte of it is left; the history still holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import redis

from shared.runtime.keys import INBOX, REFUSED
from tests.builders import SLUG, corrected, posted, published, revised
from tests.stack import Stack, running
from tests.waiting import until_sync

SECRET = "the witness is called Marlow Quayle"
NOTE = "Removed by order of a court."
UPDATE = "u2"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running(tmp_path) as stack:
        engine = redis.Redis.from_url(stack.redis_url)
        engine.config_set("rdbcompression", "no")  # or the text would be there in other letters
        yield stack


def tell(stack: Stack) -> int:
    """File the secret by every way there is, and an update before and after; return the version."""
    stack.file([
        published(),
        posted("u1", "Nothing to see."),
        posted(UPDATE, f"An official says {SECRET}.", headline=SECRET),
        revised(UPDATE, text=f"An official said {SECRET}."),
        corrected(UPDATE, f"Two officials said {SECRET}.", note=f"Not one official: {SECRET}."),
        posted("u3", "Still nothing."),
    ])  # fmt: skip
    engine = redis.Redis.from_url(stack.redis_url)
    late = posted("late", slug="no-such-story")
    inside = revised(UPDATE, text=f"Inside: {SECRET}.")
    stale = revised(UPDATE, text=f"Never to be: {SECRET}.") | {"baseversion": 1}
    for event in (late, inside, stale):
        engine.xadd(INBOX, {"data": orjson.dumps(event)})
    until_sync(lambda: engine.xlen(REFUSED) == 2, 20)
    stack.page(SLUG, 7)
    return 7


def redact(stack: Stack) -> list[str]:
    return stack.command("redact", SLUG, UPDATE, "--note", NOTE)


def holding(folder: Path) -> list[str]:
    """Return the files under *folder* that hold the secret."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if SECRET.encode() in path.read_bytes()]


def ledger(stack: Stack) -> bytes:
    return httpx2.get(f"{stack.ingest}/v1/articles/{SLUG}/events", trust_env=False).content


def entries(stack: Stack) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in ledger(stack).splitlines()]


def test_no_byte_of_it_is_left_in_the_engine_s_files_or_at_any_exit(stack):
    # given a text that came in by every way, and is in the engine's files
    tell(stack)
    assert holding(stack.data)
    # when it is redacted
    said = redact(stack)
    # then no file has it any more, and nothing that the engine would write
    assert said[0] == f"{SLUG}: update {UPDATE} is redacted, by event 8"
    assert holding(stack.data) == []
    engine = redis.Redis.from_url(stack.redis_url)
    assert [key for key in engine.scan_iter() if SECRET.encode() in (engine.dump(key) or b"")] == []
    # nor does anything that leaves the stack
    stack.page(SLUG, 8)
    paths = ("", ".txt", ".json", "/changes?since=0", "/changes?since=2", "/pages/1")
    for path in paths:
        assert SECRET not in stack.get(f"/articles/{SLUG}{path}").text, path
    assert SECRET.encode() not in ledger(stack)
    assert SECRET not in stack.said()


def test_what_stays_is_the_history_and_the_note(stack):
    tell(stack)
    before = entries(stack)

    redact(stack)

    after = entries(stack)
    kept = ("id", "source", "type", "time", "seq", "chain")
    assert [[entry[name] for name in kept] for entry in after[:7]] == [
        [entry[name] for name in kept] for entry in before
    ]
    assert [entry["seq"] for entry in after if entry.get("masked")] == [3, 4, 5, 7]
    shown = stack.page(SLUG, 8)["updates"][1]
    assert (shown["status"], [note["note"] for note in shown["notes"]]) == ("retracted", [NOTE])
    assert "text" not in shown


def test_what_stands_then_is_as_a_rebuild_makes_it_and_renderers_go_on(stack):
    # given a text that was redacted
    tell(stack)
    redact(stack)
    stack.page(SLUG, 8)
    # when all is verified, then it says what was redacted and finds nothing wrong
    assert stack.command("verify", SLUG) == [
        *(f"{SLUG}: event {seq} is redacted, by event 8" for seq in (3, 4, 5, 7)),
        "1 article checked: all as the ledgers give them",
    ]
    # when it is rebuilt, then it is the page that was served
    served = {path: stack.get(f"/articles/{SLUG}{path}").text for path in (".txt", ".json")}
    stack.command("rebuild", SLUG)
    assert {path: stack.get(f"/articles/{SLUG}{path}").text for path in served} == served
    # when more is filed, then the lane, whose stream was made anew, is read as promptly as before:
    # by its wake-up, and not by the sweeper
    stack.file([posted("u4", "After all that.")])
    assert [update["update_id"] for update in stack.page(SLUG, 9)["updates"]][-1] == "u4"
    assert "service.failed" not in stack.said()


def test_the_event_that_brought_it_can_be_sent_again_and_is_a_duplicate(stack):
    first = posted(UPDATE, f"An official says {SECRET}.")
    stack.file([published(), first])
    redact(stack)

    [again] = stack.file([first])

    assert (again["status"], again["seq"]) == ("duplicate", 2)
    until_sync(lambda: holding(stack.data) == [], 20)
