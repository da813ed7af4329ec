"""Power cuts in the middle of a write: `python -m tests.chaos.torn --step 7`.

Two commits are made, each of an event that is filed and rendered. Then the engine's file is cut off
at every *step*-th byte of what that has written, and an engine is started on each cut. It has to
stand between two steps of the protocol: I1 to I5 hold, and a renderer brings it up to date.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from services.cli.progress import progress
from services.render.consume import make_groups
from services.render.store import Store
from services.render.verify import compare, read_kept, read_records, verify
from services.render.verify_lanes import verify_lane
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.builders import SLUG, Envelope, corrected, posted, published
from tests.integration.newsroom import Newsroom, dump, open_newsroom, take_wakeups

LAST: Sequence[Envelope] = (
    posted("u2", "Ferries are back.", id="e3", key_event=True),
    corrected("u1", "The first lorries crossed at nine.", id="e4"),
)


@dataclass(frozen=True)
class Written:
    """An engine's data, and where in its file the last two commits *begin* and *end*."""

    folder: Path
    begin: int
    end: int

    def cuts(self, step: int) -> range:
        return range(self.begin, self.end + 1, step)


@dataclass(frozen=True)
class Stand:
    """What an engine holds after a cut: how much is filed, how much is folded, and a hash of it."""

    seq: int
    version: int
    digest: str


def write(folder: Path) -> Written:
    """Make an installation with an article in *folder*, and two commits at the end of it."""
    with Engine(folder) as engine:
        begin = asyncio.run(_write(engine.url, folder))
    return Written(folder, begin, _file(folder).stat().st_size)


async def _write(url: str, folder: Path) -> int:
    async with connect(url) as redis:
        newsroom = await open_newsroom(redis)
        await make_groups(redis, newsroom.lanes)
        await newsroom.file(published(id="e1"), posted("u1", id="e2"))
        await _render(newsroom)
        begin = _file(folder).stat().st_size
        for event in LAST:
            await newsroom.file(event)
            await _render(newsroom)
    return begin


async def _render(newsroom: Newsroom) -> None:
    wakeups = await take_wakeups(newsroom.redis, newsroom.keys().lane)
    await Store(newsroom.redis, newsroom.lanes).render(SLUG, wakeups)


def _file(folder: Path) -> Path:
    [found] = folder.glob("appendonlydir/*.incr.aof")
    return found


def stands(written: Written, cuts: Sequence[int], scratch: Path) -> Iterator[Stand]:
    """Yield how an engine stands that is started on each of *cuts*.

    Raises AssertionError for an invariant that is broken.
    """
    known: set[str] = set()
    for cut in cuts:
        place = scratch / "cut"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(written.folder, place)
        with _file(place).open("r+b") as file:
            file.truncate(cut)
        with Engine(place) as engine:
            stand = asyncio.run(_look(engine.url, cut, known))
            known.add(stand.digest)
            yield stand


async def _look(url: str, cut: int, known: set[str]) -> Stand:
    async with connect(url) as redis:
        newsroom = await open_newsroom(redis)
        keys = newsroom.keys()
        digest = hashlib.sha256(repr(sorted((await dump(redis)).items())).encode()).hexdigest()
        seq, version = map(int, await redis.hmget(keys.article, "seq", "version"))  # type: ignore[arg-type]
        faults = [fault async for fault in _faults(newsroom, seq, version)]
        assert not faults, f"cut at byte {cut}: {faults}"
        if digest not in known:
            await _goes_on(newsroom)
        return Stand(seq, version, digest)


async def _faults(newsroom: Newsroom, seq: int, version: int) -> Any:
    """Yield what of I1 to I5 does not hold."""
    redis, keys = newsroom.redis, newsroom.keys()
    kept = await read_kept(redis, keys)
    assert kept
    found = await compare(redis, keys, newsroom.key, kept, await read_records(redis, keys))
    # One that is behind has bytes that were to become current; else nothing may differ.
    passing = ("article: version ", "updates: ") if version < seq else ()
    for each in found.differences:
        if not passing or not each.startswith(passing):
            yield f"I1, I2: {each}"
    if version < seq and not await newsroom.dirty():
        yield "I4: it is behind, and not dirty"
    for _, each in await verify_lane(redis, keys.lane, [SLUG]):
        yield f"I3, I5: {each}"


async def _goes_on(newsroom: Newsroom) -> None:
    """See that what was lost can be filed again, once, and that everything is then as it was."""
    for event in LAST:
        assert (await newsroom.append(event))[0] in (b"accepted", b"duplicate")
    await Store(newsroom.redis, newsroom.lanes).render(SLUG)
    found = await verify(newsroom.redis, newsroom.lanes, newsroom.key, SLUG)
    assert (found.differences, await newsroom.version()) == ([], 4)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m tests.chaos.torn", description=__doc__)
    parser.add_argument("--step", type=int, default=7, metavar="BYTES")
    options = parser.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    counts: Counter[tuple[int, int]] = Counter()
    digests = set()
    with tempfile.TemporaryDirectory() as folder:
        written = write(Path(folder) / "data")
        cuts = written.cuts(options.step)
        with progress("cutting", len(cuts)) as advance:
            for stand in stands(written, cuts, Path(folder)):
                counts[stand.seq, stand.version] += 1
                digests.add(stand.digest)
                advance()
    for (seq, version), count in sorted(counts.items()):
        sys.stdout.write(f"{count:6,}  cuts with {seq} events filed, {version} folded\n")
    size = written.end - written.begin
    sys.stdout.write(
        f"{len(cuts):6,}  cuts of the last {size:,} bytes: {len(digests)} distinct states, "
        "no violation\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
