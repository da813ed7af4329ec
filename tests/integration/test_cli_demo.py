"""`writethru demo` with real processes: it shows the coverage, and leaves nothing behind."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from services.cli import coverage, second_act, wire
from services.cli.fold import file, page
from services.cli.forms import Format
from services.cli.reading import read
from shared.article.fold import replay
from tests.stack import ENGINE, Command
from tests.waiting import until_sync

EVENTS = coverage.load()
SLUG = EVENTS[0]["subject"]
COVERAGE = str(Path(coverage.__file__).with_name("coverage.ndjson"))


class Demo(Command):
    """A demo whose temporary folder is in *folder*, so that what it leaves there is seen."""

    def __init__(self, folder: Path, *words: str) -> None:
        super().__init__(folder, "demo", *words, TMPDIR=str(folder))

    def leavings(self) -> list[Path]:
        """Return what is left of its data."""
        return list(self.folder.glob("writethru-demo-*"))

    def address(self) -> str:
        """Return the address that it asks to open."""
        self.saying("Open  http")
        found = re.search(r"Open  (http\S+)", self.said())
        assert found
        return found[1]


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[list[Demo]]:
    demos: list[Demo] = []
    yield demos
    for demo in demos:
        demo.clear()


def test_once_prints_the_finished_page_and_nothing_else(tmp_path):
    command = [sys.executable, "-m", "services.cli", "demo", "--once"]

    shown = subprocess.run(command, check=False, capture_output=True, cwd=tmp_path)

    finished = page(replay(SLUG, file(read([COVERAGE]))), Format.TEXT)
    assert (shown.returncode, shown.stdout) == (0, finished), shown.stderr.decode()
    told = [line for line in shown.stderr.decode().splitlines() if line.startswith("  0")]
    assert len(told) == len(EVENTS)
    assert list(tmp_path.iterdir()) == []


def test_it_plays_the_coverage_as_if_it_were_filed_now_and_stays(tmp_path, demos):
    demos.append(demo := Demo(tmp_path, "--speed", "20"))

    address = demo.address()
    assert httpx2.get(address, trust_env=False).status_code == 200
    demo.saying("the coverage is complete")

    article = httpx2.get(f"{address}.json", trust_env=False).json()
    assert article["version"] == len(EVENTS)
    assert article["published_at"] > max(event["time"] for event in EVENTS)
    first_act = demo.said().partition("the coverage is complete")[0]
    told = [re.sub(r"^  \S+ +", "", line) for line in first_act.splitlines() if line[:2] == "  "]
    acts = [coverage.WORDS[coverage.act(event)] for event in EVENTS]
    assert [line[: len(act)] for line, act in zip(told[1:], acts, strict=True)] == acts

    # and then an article that nobody files for
    demo.saying("the wire has fallen silent")
    second = f"{address.rpartition('/')[0]}/{second_act.SLUG}"
    pulled = httpx2.get(f"{second}.json", trust_env=False).json()
    assert [each["text"] for each in pulled["updates"]] == list(wire.NEWS)
    assert {each["provenance"] for each in pulled["updates"]} == {"wire"}
    assert [line for line in demo.said().splitlines() if f"Open  {second}" in line]
    assert "source.failed" not in demo.said()
    assert demo.end() == 0
    assert demo.leavings() == []


@pytest.mark.parametrize(
    "moment",
    [
        lambda demo: demo.leavings(),
        lambda demo: demo.processes(ENGINE),
        lambda demo: demo.processes("services.render"),
        lambda demo: demo.processes("services.deliver"),
        lambda demo: "update filed" in demo.said(),
    ],
    ids=["its folder", "the engine", "a renderer", "deliver", "an update"],
)
def test_an_interruption_at_any_moment_leaves_nothing_behind(tmp_path, demos, moment):
    demos.append(demo := Demo(tmp_path, "--speed", "10"))
    until_sync(lambda: moment(demo), 60)

    assert demo.end() == 0

    assert demo.leavings() == []
    assert "Traceback" not in demo.said()


def test_once_that_is_interrupted_has_not_done_its_work(tmp_path, demos):
    demos.append(demo := Demo(tmp_path, "--once"))
    demo.saying("starting")

    assert demo.end() == 128 + signal.SIGINT
    assert demo.leavings() == []


def test_ports_in_use_are_replaced_by_free_ones(tmp_path, demos):
    taken = []
    for port in (8000, 8080):
        try:
            taken.append(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue  # somebody else has it already, which is as good
    try:
        demos.append(demo := Demo(tmp_path, "--speed", "20"))
        address = demo.address()

        assert ":8080/" not in address
        assert httpx2.get(address, trust_env=False).status_code == 200
        assert demo.end() == 0
    finally:
        for each in taken:
            each.close()


def test_nothing_outlives_a_demo_that_is_killed(tmp_path, demos):
    demos.append(demo := Demo(tmp_path))
    demo.address()

    assert demo.end(signal.SIGKILL) == -signal.SIGKILL
