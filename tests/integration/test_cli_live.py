"""`publish`, `page` and `watch` with a stack that runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.builders import closed, corrected, killed, posted, published
from tests.stack import Command, Stack, running
from tests.waiting import until_sync


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("live")) as stack:
        yield stack


@pytest.fixture
def slug(request) -> str:
    """An article of the test's own."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name).strip("-")


def writethru(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "services.cli", *words]
    return subprocess.run(command, check=False, input=given, capture_output=True)


def lines(*events) -> bytes:
    return b"".join(orjson.dumps(event) + b"\n" for event in events)


def test_what_is_published_is_the_page(stack, slug):
    events = [published(slug=slug), posted("u1", slug=slug)]

    filed = writethru("publish", "-", "--to", stack.ingest, given=lines(*events))
    again = writethru("publish", "-", "--to", stack.ingest, given=lines(*events))

    assert (filed.returncode, filed.stderr) == (0, b"")
    receipts = [orjson.loads(line) for line in filed.stdout.splitlines()]
    assert [(receipt["status"], receipt["seq"]) for receipt in receipts] == [
        ("accepted", 1),
        ("accepted", 2),
    ]
    assert again.returncode == 0
    assert b'"duplicate"' in again.stdout
    stack.page(slug, 2)
    for form, extension in (("text", "txt"), ("html", "html"), ("json", "json")):
        page = writethru("page", slug, "--from", stack.deliver, "--format", form)
        assert (page.returncode, page.stderr) == (0, b"")
        assert page.stdout == stack.get(f"/articles/{slug}.{extension}").content


def test_a_refused_event_makes_the_status_of_publish_1(stack, slug):
    events = lines(published(slug=slug), posted("u1", slug="nowhere")) + b"{no event\n"

    filed = writethru("publish", "-", "--to", stack.ingest, given=events)

    assert filed.returncode == 1
    receipts = [orjson.loads(line) for line in filed.stdout.splitlines()]
    assert [receipt["status"] for receipt in receipts] == ["accepted", "rejected", "rejected"]
    assert receipts[1]["problem"]["code"] == "unknown-article"
    assert (receipts[2]["problem"]["code"], receipts[2]["line"]) == ("malformed", 3)
    assert filed.stderr == b"writethru publish: 2 of 3 events rejected; the receipts say why\n"


def test_a_page_of_no_article_says_where_to_look(stack):
    page = writethru("page", "no-such-ferry", "--from", stack.deliver)

    assert (page.returncode, page.stdout) == (1, b"")
    assert page.stderr.startswith(b"writethru page: there is no article no-such-ferry at http")


def test_a_killed_article_prints_as_what_stands_in_its_place(stack, slug):
    stack.file([published(slug=slug), killed("On legal advice.", slug=slug)])
    until_sync(lambda: stack.get(f"/articles/{slug}.txt").status_code == 410)

    page = writethru("page", slug, "--from", stack.deliver)

    assert page.returncode == 0
    assert "Withdrawn" in page.stdout.decode()


def watching(stack: Stack, folder: Path, *words: str) -> Command:
    watch = Command(folder, "watch", *words, "--from", stack.deliver)
    watch.saying("following")
    return watch


def test_watch_tells_each_change_of_an_article_as_it_comes(stack, slug, tmp_path):
    stack.file([published(slug=slug), posted("u1", slug=slug)])
    stack.page(slug, 2)
    watch = watching(stack, tmp_path, slug)
    try:
        assert f"{slug} is at version 2: Harbour bridge reopens" in watch.said()
        told = [
            (posted("u2", "A queue has\nformed.", slug=slug), "v3", "posted     u2"),
            (corrected("u1", note="It was two.", slug=slug), "v4", "corrected  u1"),
            (closed(note="Good night.", slug=slug), "v5", f"closed     {slug}"),
            (killed("On legal advice.", slug=slug), "", f"killed     {slug}"),
        ]
        for event, version, line in told:
            stack.file([event])
            assert re.search(rf"\d\d:\d\d:\d\d  {version:<5} {line}", watch.saying(line))

        assert watch.process.wait(10) == 0
        assert "A queue has formed." in watch.said()
        assert "\x1b" not in watch.said()
    finally:
        watch.clear()


def test_watch_without_an_article_tells_of_all(stack, slug, tmp_path):
    watch = watching(stack, tmp_path)
    try:
        stack.file([published("Ferry crews walk out", slug=slug)])
        watch.saying(f"published  {slug}")
        stack.file([posted("u1", slug=slug)])

        assert "Ferry crews walk out" in watch.saying(f"posted     {slug}")
        assert watch.end() == 130
        assert "Traceback" not in watch.said()
    finally:
        watch.clear()


def test_watch_misses_nothing_while_deliver_is_away(stack, slug, tmp_path):
    stack.file([published(slug=slug)])
    stack.page(slug, 1)
    watch = watching(stack, tmp_path, slug)
    try:
        os.kill(stack.pid_of("services.deliver"), signal.SIGKILL)
        stack.file([posted("u1", slug=slug), posted("u2", slug=slug)])

        said = watch.saying("u2")

        assert "the connection is lost; trying again" in said
        assert [said.count(f"posted     {name}") for name in ("u1", "u2")] == [1, 1]
        watch.saying("connected again")
    finally:
        watch.end()
        watch.clear()


def test_watch_of_all_goes_on_where_it_was_when_deliver_is_back(stack, slug, tmp_path):
    watch = watching(stack, tmp_path)
    try:
        stack.file([published(slug=slug)])
        watch.saying(f"published  {slug}")
        os.kill(stack.pid_of("services.deliver"), signal.SIGKILL)
        stack.file([posted("u1", slug=slug)])

        said = watch.saying(f"posted     {slug}")

        assert said.count(f"published  {slug}") == 1
    finally:
        watch.end()
        watch.clear()
