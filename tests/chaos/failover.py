"""Takeovers and reshards under load: `python -m tests.chaos.failover --failovers 10 --reshards 5`.

Each round files live articles from several desks, with readers on each, and lets a primary go in
the middle, or moves a lane. A primary is cut off from its replicas before it is killed, so what it
accepts last is on its disk only. Then everything is held to the desks' logs: what is lost is
counted, filed again by `writethru publish --redrive`, and counted again; readers of lost history
must have been reset.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, cycle, islice
from pathlib import Path

from tests.chaos.desks import Desk, Judged, Reader, at_work, await_readers, chains_of, following
from tests.chaos.outcomes import Outcome, table
from tests.chaos.takeovers import (
    LANES,
    Company,
    Loss,
    OfACluster,
    is_replica,
    lose,
    of_a_cluster,
    of_sentinels,
)
from tests.stack import Stack, running
from tests.waiting import until_sync

DESKS = 3
BEFORE, BETWEEN, AFTER = 120, 40, 60
"""Events that are accepted before the cut, while it lasts, and after the takeover."""
UNCONFIRMED_BYTES = 2_000
"""What a primary has written, at `replica`, that no replica can confirm before it is killed."""
PATIENCE_SECONDS = 60.0
REDRIVES = 3
"""On a machine that stands still for a second, a primary may be taken for dead meanwhile."""
LEVELS = ("fsync", "replica")
"""Of the takeovers, in turn."""


class Newsrooms:
    """A stack on engines in company, and a round of filing on it after the other."""

    def __init__(self, stack: Stack, company: Company, folder: Path) -> None:
        self.stack, self.company, self._folder = stack, company, folder
        self._rounds = 0

    def takeover(self, level: str) -> Outcome:
        """Have a primary die, cut off from its replicas, while desks file at *level*."""
        loss = self.company.next_loss()
        with self._round(level) as (desks, readers):
            _await(desks, BEFORE)
            began = self._lose(desks, loss, level)
            self.company.replaced(loss)
            self.company.brought_back(loss)
            _await(desks, AFTER)
            seconds = _back_after(desks, loss, began)
        return self._settle("takeover", level, desks, readers, seconds)

    def standstill(self, level: str) -> Outcome:
        """Have a primary stand still until another has taken over, and then go on as if it were."""
        loss = self.company.next_loss()
        with self._round(level) as (desks, readers):
            _await(desks, BEFORE)
            began = time.monotonic()
            loss.primary.signal(signal.SIGSTOP)
            self.company.replaced(loss)
            loss.primary.signal(signal.SIGCONT)
            until_sync(lambda: is_replica(loss.primary), PATIENCE_SECONDS)
            _await(desks, AFTER)
            seconds = _back_after(desks, loss, began)
        return self._settle("standstill", level, desks, readers, seconds)

    def reshard(self, cluster: OfACluster) -> Outcome:
        """Move a lane from one primary to another while desks file."""
        with self._round("fsync") as (desks, readers):
            _await(desks, BEFORE)
            began = time.monotonic()
            assert cluster.reshard()
            seconds = time.monotonic() - began
            _await(desks, AFTER)
        return self._settle("reshard", "fsync", desks, readers, seconds)

    @contextmanager
    def _round(self, level: str) -> Iterator[tuple[list[Desk], list[Reader]]]:
        self._rounds += 1
        self._primaries = self.company.primaries()
        slugs = list(_one_a_lane(f"round-{self._rounds}"))
        readers = [Reader(self.stack.deliver, slug) for slug in slugs]
        desks = [
            Desk(self.stack.ingest, self._log(number), slugs[number::DESKS], level)
            for number in range(DESKS)
        ]
        with following(readers):
            with at_work(desks):
                yield desks, readers
            # Readers stay for what comes: a loss is told when it is there to be told of.
            self._end(desks, readers)

    def _lose(self, desks: Sequence[Desk], loss: Loss, level: str) -> float:
        before, sent = _accepted(desks), _offset(loss)
        if level == "fsync":
            lose(loss, lambda: _accepted(desks) >= before + BETWEEN)
        else:  # nobody can be told yes meanwhile, but the primary has it
            lose(loss, lambda: _offset(loss) >= sent + UNCONFIRMED_BYTES)
        return time.monotonic()

    def _end(self, desks: Sequence[Desk], readers: Sequence[Reader]) -> None:
        self._lost = self._again = 0
        for _ in range(REDRIVES):
            lost = sum(len(desk.missing()) for desk in desks)
            if not lost:
                break
            self._lost += lost
            self._again += sum(self._redrive(desk) for desk in desks)
        assert not any(desk.missing() for desk in desks), "a redrive left something out"
        chains = {reader.slug: chains_of(self.stack.ingest, reader.slug) for reader in readers}
        await_readers(readers, chains)
        self._chains = chains

    def _settle(
        self,
        fault: str,
        level: str,
        desks: Sequence[Desk],
        readers: Sequence[Reader],
        seconds: float,
    ) -> Outcome:
        judged = Judged()
        for reader in readers:
            reader.judge(self._chains[reader.slug], judged)
        assert judged.told == judged.forked
        accepted = sum(each.stored for desk in desks for each in desk.filed())
        return Outcome(
            self.company.name,
            fault,
            level,
            len(self.company.primaries() - self._primaries),
            accepted,
            self._lost,
            self._again,
            judged,
            seconds,
        )

    def _redrive(self, desk: Desk) -> int:
        """Redrive the desk's log as a person would; return how much was filed again."""
        done = _run("publish", "--redrive", str(desk.log), "--to", self.stack.ingest)
        assert done.returncode == 0, done.stderr
        return sum('"status":"accepted"' in line for line in done.stdout.splitlines())

    def _log(self, number: int) -> Path:
        return self._folder / f"{self._rounds}.{number}.log"


def _one_a_lane(name: str) -> Iterator[str]:
    """Yield a slug for each lane, so that every primary that may go has some of them."""
    for lane in LANES:
        yield next(s for n in count() if LANES.of(s := f"{name}-{n}") == lane)


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def _accepted(desks: Sequence[Desk]) -> int:
    return sum(len(desk.accepted) for desk in desks)


def _await(desks: Sequence[Desk], more: int) -> None:
    goal = _accepted(desks) + more
    until_sync(lambda: _accepted(desks) >= goal, PATIENCE_SECONDS)


def _offset(loss: Loss) -> int:
    return int(loss.primary.ask("INFO", "replication")["master_repl_offset"])


def _back_after(desks: Sequence[Desk], loss: Loss, began: float) -> float:
    """Return how long after *began* the last of the lanes that were lost took an event again."""

    def first() -> Mapping[str, float]:
        found: dict[str, float] = {}
        for desk in desks:
            for at, slug in list(desk.accepted):
                if at > began and LANES.of(slug) in loss.lanes:
                    found.setdefault(slug, at - began)
        return found

    filed = {slug for desk in desks for slug in desk.slugs if LANES.of(slug) in loss.lanes}
    until_sync(lambda: first().keys() == filed, PATIENCE_SECONDS)
    return max(first().values(), default=0.0)


def verified(url: str) -> str:
    """Return what `writethru verify` says of everything. Raises AssertionError for a difference."""
    done = _run("verify", "--redis-url", url)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@contextmanager
def newsrooms(folder: Path, company: Company) -> Iterator[Newsrooms]:
    home = folder / "stack"
    home.mkdir(parents=True)
    with running(home, "--redis-url", company.url, "--workers", "2") as stack:
        yield Newsrooms(stack, company, home)


def campaign(
    folder: Path, failovers: int, reshards: int, standstills: int
) -> Iterator[Outcome | str]:
    """Yield the outcome of each round, and what is verified at the end of each company."""
    of_them = failovers - failovers // 2
    with (
        of_sentinels(folder / "sentinels") as company,
        newsrooms(folder / "sentinels", company) as rooms,
    ):
        for level in islice(cycle(LEVELS), of_them):
            yield rooms.takeover(level)
        for level in islice(cycle(LEVELS), standstills - standstills // 2):
            yield rooms.standstill(level)
        yield verified(company.url)
    with of_a_cluster(folder / "cluster") as nodes, newsrooms(folder / "cluster", nodes) as rooms:
        levels = islice(cycle(LEVELS), failovers - of_them)
        for turn in range(max(failovers - of_them, reshards)):
            if turn < reshards:
                yield rooms.reshard(nodes)
            for level in islice(levels, 1):
                yield rooms.takeover(level)
        for level in islice(cycle(LEVELS), standstills // 2):
            yield rooms.standstill(level)
        yield verified(nodes.url)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m tests.chaos.failover", description=__doc__)
    parser.add_argument("--failovers", type=int, default=10, metavar="N")
    parser.add_argument("--reshards", type=int, default=5, metavar="N")
    parser.add_argument("--standstills", type=int, default=4, metavar="N")
    options = parser.parse_args(argv)
    rounds = options.failovers + options.reshards + options.standstills
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        for found in campaign(
            Path(folder), options.failovers, options.reshards, options.standstills
        ):
            if isinstance(found, Outcome):
                outcomes.append(found)
                sys.stderr.write(f"{len(outcomes)} of {rounds} rounds  {found.said()}\n")
            else:
                sys.stderr.write(f"{found}\n")
    sys.stdout.write("\n".join(table(outcomes)) + "\n")
    return int(any(each.lost for each in outcomes if each.level == "replica"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
