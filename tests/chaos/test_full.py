"""A disk or a memory that is full: nothing is half-written, readers read, and it goes on after."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import redis

from services.cli.disk_guard import ENOUGH_BYTES, RESERVE_BYTES
from tests.builders import Envelope, posted, published
from tests.chaos.harness import verify
from tests.stack import ENGINE, Stack, running
from tests.waiting import until_sync

DISK_BYTES = ENOUGH_BYTES + 16 * 1024 * 1024
PROBE = "probe"
KIB = "0123456789abcdef" * 64


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Mount a small disk."""
    place = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        # In CI, too: it is the machine's owner who gives or withholds this right.
        pytest.skip(f"needs the right to mount a disk ({done.stderr.strip()})")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module")
def stack(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("stack")
    (home / "data").symlink_to(disk, target_is_directory=True)
    with running(home) as stack:
        yield stack


def post(stack: Stack, *events: Envelope) -> httpx2.Response:
    return httpx2.post(
        f"{stack.ingest}/v1/events",
        content=b"\n".join(map(orjson.dumps, events)),
        headers={"content-type": "application/x-ndjson"},
        trust_env=False,
        timeout=30.0,
    )


def receipts(stack: Stack, *events: Envelope) -> list[dict[str, Any]]:
    """Return a receipt for each, of which one that is open has no more than its status."""
    answer = post(stack, *events)
    if answer.status_code == 503:
        return [{"status": "unknown"}] * len(events)
    found: list[dict[str, Any]] = answer.json()["receipts"]
    if any(each.get("problem", {}).get("code") == "busy" for each in found):
        assert int(answer.headers["retry-after"]) > 0
    return found


def is_busy(stack: Stack, event: Envelope) -> bool:
    [receipt] = receipts(stack, event)
    return bool(receipt.get("problem", {}).get("code") == "busy")


def ids(events: Sequence[Envelope]) -> list[str]:
    return [event["id"] for event in events]


def ledger(stack: Stack, slug: str) -> list[dict[str, Any]]:
    answer = httpx2.get(f"{stack.ingest}/v1/articles/{slug}/events", trust_env=False)
    assert answer.status_code == httpx2.codes.OK
    return [orjson.loads(line) for line in answer.content.splitlines()]


def holds(stack: Stack, slug: str, wanted: Sequence[str]) -> list[dict[str, Any]]:
    """See that the ledger has the events *wanted*, once and in order, and the page."""
    lines = ledger(stack, slug)
    assert [line["id"] for line in lines if line["id"] != PROBE] == list(wanted)
    stack.page(slug, len(lines))
    return lines


@contextmanager
def filler(disk: Path, leaving: int) -> Iterator[None]:
    """Fill the disk up, but for some bytes; make room again after."""
    usage = os.statvfs(disk)
    path = disk / "filler"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, usage.f_bavail * usage.f_frsize - leaving)
    try:
        yield
    finally:
        path.unlink()


def test_events_are_busy_while_the_disk_is_nearly_full_and_nothing_else_is_hurt(stack, disk):
    stack.file([published(slug="ferry", id="e1"), posted("u1", slug="ferry", id="e2")])
    stack.page("ferry", 2)
    later = posted("u2", slug="ferry", id="e3")

    with filler(disk, leaving=RESERVE_BYTES // 2):
        stack.saying("events are refused as busy until it is")
        until_sync(lambda: is_busy(stack, later))
        single = httpx2.post(
            f"{stack.ingest}/v1/events",
            json=later,
            headers={"content-type": "application/cloudevents+json"},
            trust_env=False,
        )
        assert (single.status_code, single.json()["code"]) == (503, "busy")
        assert single.headers["retry-after"]
        assert stack.get("/articles/ferry").status_code == 200
        holds(stack, "ferry", ["e1", "e2"])

    stack.saying("events are taken again")
    assert until_sync(lambda: not is_busy(stack, later))
    holds(stack, "ferry", ["e1", "e2", "e3"])


def test_an_engine_that_ends_as_nothing_can_be_written_comes_back_with_all_it_accepted(stack, disk):
    story = [published(slug="tram", id="e0")]
    story += [posted(f"u{n}", KIB, slug="tram", id=f"e{n}") for n in range(1, 60)]
    probe = posted("probe", slug="tram", id=PROBE)
    known, receipt = stack.file(story[:20]), dict[str, Any]()
    stack.page("tram", 20)

    # given a disk without a single byte, and nobody who looks at it until the engine has ended
    stack.process.send_signal(signal.SIGSTOP)
    with filler(disk, leaving=0):
        for event in story[20:]:
            [receipt] = receipts(stack, event)
            if receipt["status"] != "accepted":
                break
            known.append(receipt)
        assert receipt["status"] == "unknown"
        assert not stack.processes(ENGINE)
        stack.process.send_signal(signal.SIGCONT)
        # then events are soon busy, not of unknown outcome, and pages are there
        until_sync(lambda: is_busy(stack, probe), 60)
        until_sync(lambda: stack.get("/articles/tram").status_code == 200)
    assert "the engine ended; starting it again on the same data" in stack.said()

    # when there is room again, and the newsroom sends everything anew
    until_sync(lambda: not is_busy(stack, probe), 60)
    receipts(stack, *story)

    # then what was accepted was kept where it was, and the rest is taken
    lines = holds(stack, "tram", ids(story))
    places = {line["id"]: (line["seq"], line["chain"]) for line in lines}
    for receipt in known:
        assert places[receipt["id"]] == (receipt["seq"], receipt["chain"])


def test_events_are_busy_while_the_memory_is_full_and_what_was_filed_drains_after(stack):
    story = [published(slug="metro", id="e0")]
    story += [posted(f"u{n}", KIB * 40, slug="metro", id=f"e{n}") for n in range(1, 40)]

    with contextlib.closing(redis.Redis.from_url(stack.redis_url, protocol=2)) as engine:
        stack.file(story[:5])
        stack.page("metro", 5)
        used: Any = engine.info("memory")
        engine.config_set("maxmemory", used["used_memory"] + 300_000)
        found = [receipts(stack, event)[0] for event in story[5:]]
        stored = [each["id"] for each in found if each["status"] == "accepted"]
        refused = [each["problem"]["code"] for each in found if each["status"] == "rejected"]

        assert set(refused) == {"busy"}
        assert len(stored) + len(refused) == len(found)
        assert stack.get("/articles/metro").status_code == 200
        assert [line["id"] for line in ledger(stack, "metro")] == ids(story[:5]) + stored

        engine.config_set("maxmemory", 0)

    # What found room while others did not stands before them.
    left = [event for event in story[5:] if event["id"] not in stored]
    # Ingest looks once a second how full it is.
    until_sync(lambda: not is_busy(stack, left[0]))
    receipts(stack, *left)
    holds(stack, "metro", [*ids(story[:5]), *stored, *ids(left)])
    verified = verify(stack)
    assert verified.returncode == 0, verified.stdout + verified.stderr
