"""The supervisor with real processes that behave badly."""

from __future__ import annotations

import asyncio
import os
import textwrap
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services.cli import supervise
from services.cli.failure import Failure
from services.cli.supervise import Part, Supervisor
from tests.waiting import until

#: Says when it is there and when it is told to end; ends as its environment wants it.
CHILD = textwrap.dedent("""
    import os, signal, sys

    def say(what):
        with open("said", "a") as said:
            print(os.environ["NAME"], what, file=said)

    def told(*_):
        say("told")
        if os.environ["HEEDS"] == "yes":
            sys.exit()

    signal.signal(signal.SIGTERM, told)
    say("here")
    if status := os.environ.get("ENDS"):
        sys.exit(int(status))
    while True:
        signal.pause()
""")


@pytest.fixture
async def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make supervisors of children that are described by their environments."""
    (tmp_path / "child.py").write_text(CHILD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervise, "STOP_SECONDS", 0.5)
    supervisors = []

    async def family(*names: str, **environ: str) -> tuple[Supervisor, list[str]]:
        lines: list[str] = []
        supervisor = Supervisor(lines.append)
        supervisors.append(supervisor)
        shared = dict(os.environ) | {"PYTHONPATH": str(tmp_path), "HEEDS": "yes"} | environ
        await supervisor.start([Part(name, "child", shared | {"NAME": name}) for name in names])
        return supervisor, lines

    yield family
    for supervisor in supervisors:
        await supervisor.stop()


def said() -> list[str]:
    try:
        return Path("said").read_text().splitlines()
    except FileNotFoundError:
        return []


async def test_children_are_told_to_end_in_the_reverse_of_their_order(family):
    supervisor, _ = await family("render", "ingest", "deliver")
    await until(lambda: len(said()) == 3)

    await supervisor.stop()

    assert said()[3:] == ["deliver told", "ingest told", "render told"]


async def test_a_child_that_does_not_heed_is_killed_in_the_end(family):
    supervisor, _ = await family("render", HEEDS="no")
    await until(lambda: said() == ["render here"])

    await supervisor.stop()

    assert said() == ["render here", "render told"]


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """What the supervisor pauses for; only the ninth is as long as it likes."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 8:
            await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(supervise, "_sleep", pause)
    return pauses


async def test_a_child_that_ends_is_started_again_and_again_later_each_time(family, pauses):
    supervisor, lines = await family("render", ENDS="1")
    supervisor.settled = True

    await until(lambda: len(pauses) == 9, 30)

    assert lines == ["render ended with status 1; starting it again"] * 9
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


async def test_a_child_that_was_well_before_is_back_at_once(family, pauses, monkeypatch):
    monkeypatch.setattr(supervise, "monotonic", count(step=11.0).__next__)
    supervisor, _ = await family("render", ENDS="1")
    supervisor.settled = True

    await until(lambda: len(pauses) == 9, 30)

    assert set(pauses) == {0.1}


@pytest.mark.parametrize(("ends", "status"), [("3", 1), ("78", 78)])
async def test_a_child_that_can_not_start_fails_the_whole(family, ends, status):
    supervisor, _ = await family("render", ENDS=ends)

    with pytest.raises(Failure, match=f"render ended with status {ends} while it st") as failure:
        await supervisor.during(asyncio.get_running_loop().create_future())

    assert failure.value.status == status


async def test_what_is_done_meanwhile_may_fail_by_itself(family):
    supervisor, _ = await family("render")

    async def work() -> None:
        raise Failure("the coverage was refused")

    with pytest.raises(Failure, match="the coverage was refused"):
        await supervisor.during(work())
