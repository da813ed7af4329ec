"""A whole stack with an archive: readers notice nothing, and a copy of its folders is a backup."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.builders import SLUG, closed, corrected, killed, posted, published
from tests.stack import START_SECONDS, Stack, running
from tests.waiting import until_sync

ENDINGS = ("", ".txt", ".json", "/pages/1", "/corrections", "/changes?since=0", "/changes?since=2")


def shown(stack: Stack) -> list[tuple[int, bytes, str | None]]:
    """Return what readers get of the article, with its ETags."""
    answers = [stack.get(f"/articles/{SLUG}{ending}") for ending in ENDINGS]
    return [(each.status_code, each.content, each.headers.get("etag")) for each in answers]


def operate(stack: Stack, archive: Path, *words: str) -> str:
    """Run a command on the stack's engine and return what it prints."""
    command = [sys.executable, "-m", "services.cli", *words, "--redis-url", stack.redis_url]
    environ: Any = {"WRITETHRU_ARCHIVE_DIR": str(archive), "WRITETHRU_ARCHIVE_AFTER": "0s"}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=os.environ | environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_archive_is_served_backed_up_restored_changed_and_killed(tmp_path: Path):
    # given a stack with a closed article
    archive = tmp_path / "archive"
    settings = {"WRITETHRU_PUBLIC_URL": "https://news.example"}
    (tmp_path / "first").mkdir()
    with running(tmp_path / "first", WRITETHRU_ARCHIVE_DIR=str(archive), **settings) as stack:
        events = [published(), *(posted(f"u{n}") for n in range(55)), corrected("u7"), closed()]
        assert {each["status"] for each in stack.file(events)} == {"accepted"}
        stack.page(SLUG, len(events))
        before = shown(stack)
        # when it is archived, then readers get the same bytes
        assert operate(stack, archive, "archive", "--dry-run").endswith("would be archived\n")
        assert operate(stack, archive, "archive") == f"{SLUG}\n1 article archived\n"
        assert SLUG in operate(stack, archive, "archive", "list")
        assert shown(stack) == before
        assert "1 article checked" in operate(stack, archive, "verify")
    # when both folders are copied, and the machine is lost
    (tmp_path / "second").mkdir()
    shutil.copytree(tmp_path / "first" / "data", tmp_path / "second" / "data")
    shutil.copytree(archive, tmp_path / "copy")
    shutil.rmtree(archive)
    # then a stack on the copies has everything
    copy = tmp_path / "copy"
    with running(tmp_path / "second", WRITETHRU_ARCHIVE_DIR=str(copy), **settings) as stack:
        assert shown(stack) == before
        assert "1 article checked" in operate(stack, copy, "verify")
        assert {each["status"] for each in stack.file(events)} == {"duplicate"}
        # and takes a correction, and a kill that leaves nothing
        (receipt,) = stack.file([corrected("u9")])
        assert receipt["status"] == "accepted"
        assert stack.page(SLUG, len(events) + 1)["updates"][9]["notes"]
        (receipt,) = stack.file([killed()])
        assert receipt["status"] == "accepted"
        until_sync(lambda: shown(stack)[0][0] == 410, START_SECONDS)
        until_sync(lambda: not list(copy.glob("*/*")), START_SECONDS)
        assert "1 article checked" in operate(stack, copy, "verify")
