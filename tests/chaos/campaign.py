"""One campaign: a stack under load and fire, until enough has happened; then the reckoning."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.checker import Checker, read_journal, verify
from tests.chaos.desk import Journal, Load, Newsroom
from tests.chaos.faults import Attacker
from tests.chaos.findings import Findings
from tests.chaos.plan import Fault
from tests.chaos.readers import Readers
from tests.chaos.watch import watch
from tests.stack import Stack, running
from tests.waiting import until

#: Places to fail, for all processes of a campaign, and how often where a lot is going on.
PLACES = {
    "ingest.before_append": 0.002,
    "ingest.after_append": 0.002,
    "ingest.after_release": 0.01,
    "render.after_read": 0.001,
    "render.before_commit": 0.001,
    "render.after_commit": 0.001,
    "deliver.after_read": 0.001,
}
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Campaign:
    """What to do. It ends when the *faults* have come to their end and *events* are acknowledged,
    after *seconds*, or with the first finding if *impatient*.
    """

    seed: int
    faults: Iterable[Fault]
    events: int = 0
    seconds: float | None = None
    load: Load = field(default_factory=Load)
    workers: int = 2
    followers: int = 8
    hoses: int = 2
    fail: float = 1.0
    """How much more often than in `PLACES` processes fail there; 0: never."""
    drain_seconds: float = 300.0
    impatient: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What has happened. *recoveries* are seconds from a fault to the next acknowledgement."""

    seed: int
    seconds: float = 0.0
    drain_seconds: float = 0.0
    check_seconds: float = 0.0
    acked: int = 0
    articles: int = 0
    ledgers: int = 0
    pages: int = 0
    snapshots: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    fail_points: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    desks: Counter[str] = field(default_factory=Counter)
    readers: Counter[str] = field(default_factory=Counter)
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)


def places(scale: float) -> str:
    """Return the setting that makes processes fail so much more often."""
    return ",".join(f"{name}:{chance * scale}" for name, chance in PLACES.items())


Tell = Callable[[str, int, int], None]


def run(campaign: Campaign, folder: Path, tell: Tell = lambda *_: None) -> Outcome:
    """Carry it out in *folder*; *tell* is told now and then what is done, how much, and of what."""
    outcome = Outcome(campaign.seed)
    environ = {
        "WRITETHRU_CHECKS": "off",
        **({"WRITETHRU_FAIL": places(campaign.fail)} if campaign.fail else {}),
        **campaign.environ,
    }
    with running(folder, "--workers", str(campaign.workers), **environ) as stack:
        asyncio.run(_fight(campaign, stack, outcome, folder / "journal.ndjson", tell))
        _look_at_log(stack, outcome)
    return outcome


async def _fight(
    campaign: Campaign, stack: Stack, outcome: Outcome, path: Path, tell: Tell
) -> None:
    journal, findings = Journal(path), outcome.findings
    newsroom = Newsroom(stack.ingest, journal, findings, campaign.seed, campaign.load)
    readers = Readers(stack.deliver, findings, lambda: newsroom.open, met=outcome.readers)
    attacker = Attacker(stack)
    began = findings.began = time.monotonic()
    filing = asyncio.create_task(newsroom.file())
    reading = asyncio.create_task(readers.read(campaign.followers, campaign.hoses, campaign.seed))
    watching = asyncio.create_task(
        watch(stack.redis_url, findings, lambda: newsroom.open, campaign.seed)
    )
    try:
        await _while_it_lasts(campaign, attacker, journal, findings, tell, filing)
        newsroom.close()
        if not (campaign.impatient and findings):
            await filing
        outcome.seconds = time.monotonic() - began
        outcome.acked, outcome.desks = journal.acked, newsroom.met
        outcome.faults = attacker.done
        outcome.recoveries = dict(_recoveries(attacker.at, journal.acks))
        await _end(campaign, stack, outcome, path, tell, readers, watching, reading)
    finally:
        for task in (filing, reading, watching):
            task.cancel()
        await asyncio.gather(filing, reading, watching, return_exceptions=True)
        journal.close()


async def _while_it_lasts(
    campaign: Campaign,
    attacker: Attacker,
    journal: Journal,
    findings: Findings,
    tell: Tell,
    filing: asyncio.Task[None],
) -> None:
    until_ = None if campaign.seconds is None else time.monotonic() + campaign.seconds
    faults = list(campaign.faults) if campaign.seconds is None else campaign.faults
    total = len(faults) if isinstance(faults, list) else 0

    def going_on() -> bool:
        over = until_ is not None and time.monotonic() > until_
        return not over and not filing.done() and not (campaign.impatient and findings)

    def is_due(number: int) -> bool:
        """Spread the faults over the events."""
        return not total or journal.acked * total >= campaign.events * number

    attacking = asyncio.create_task(asyncio.to_thread(attacker.attack, faults, going_on, is_due))
    while not attacking.done() or (going_on() and journal.acked < campaign.events):
        tell("under fire", attacker.done.total(), total)
        await asyncio.sleep(LOOK_SECONDS)
    await attacking
    if filing.done():
        filing.result()


async def _end(
    campaign: Campaign,
    stack: Stack,
    outcome: Outcome,
    path: Path,
    tell: Tell,
    readers: Readers,
    watching: asyncio.Task[None],
    reading: asyncio.Task[None],
) -> None:
    """Let everything come to rest, and reckon; who is impatient has found enough."""
    if campaign.impatient and outcome.findings:
        return
    tell("draining", 0, 0)
    clients = read_journal(path)
    outcome.articles = len(clients)
    began = time.monotonic()
    readers.ending = True
    await _drained(campaign, stack, outcome, list(clients))
    outcome.drain_seconds = time.monotonic() - began
    watching.cancel()
    await _told(campaign, stack, outcome, readers)
    reading.cancel()
    await asyncio.gather(reading, watching, return_exceptions=True)
    began = time.monotonic()
    tell("verifying", 0, 0)
    await asyncio.to_thread(verify, stack.redis_url, outcome.findings)
    checker = Checker(stack.redis_url, stack.deliver, outcome.findings)
    for place, (slug, client) in enumerate(clients.items()):
        tell("checking", place, len(clients))
        await asyncio.to_thread(checker.check, slug, client)
    for document in readers.left:
        await asyncio.to_thread(checker.snapshot, document)
    checker.close()
    outcome.ledgers, outcome.pages = checker.events, checker.pages
    outcome.snapshots = len(readers.left)
    outcome.check_seconds = time.monotonic() - began


async def _told(campaign: Campaign, stack: Stack, outcome: Outcome, readers: Readers) -> None:
    """Wait until every reader has heard of all there is."""
    checker = Checker(stack.redis_url, stack.deliver, outcome.findings)
    heads = checker.versions(sorted(readers.places()))
    late: list[str] = []

    def told() -> bool:
        late[:] = [
            f"{slug} at {at}, of {heads.get(slug)}"
            for slug, at in readers.places().items()
            if at != heads.get(slug, at)
        ]
        return not late

    try:
        await until(told, campaign.drain_seconds)
    except AssertionError:
        outcome.findings.add("I7", f"readers were not told: {late[:3]}")
    checker.close()


async def _drained(campaign: Campaign, stack: Stack, outcome: Outcome, slugs: list[str]) -> None:
    """Wait until every page is what is filed, and nothing is held that is due."""

    def rested() -> bool:
        with suppress(Exception):  # the engine may be on its way back
            checker = Checker(stack.redis_url, stack.deliver, outcome.findings)
            try:
                return not checker.behind(slugs) and not checker.holding(slugs)
            finally:
                checker.close()
        return False

    try:
        await until(rested, campaign.drain_seconds)
    except AssertionError:
        checker = Checker(stack.redis_url, stack.deliver, outcome.findings)
        behind = checker.behind(slugs)
        outcome.findings.add("liveness", f"{len(behind)} pages are behind still: {behind[:3]}")
        checker.close()


def _recoveries(
    faults: list[tuple[float, str]], acks: list[float]
) -> Iterator[tuple[str, list[float]]]:
    """Yield, by kind of fault, how long it took each time until something was acknowledged."""
    found: dict[str, list[float]] = {}
    place = 0
    for at, kind in faults:
        while place < len(acks) and acks[place] < at:
            place += 1
        if place < len(acks):
            found.setdefault(kind, []).append(acks[place] - at)
    yield from found.items()


def _look_at_log(stack: Stack, outcome: Outcome) -> None:
    """Count what the stack says of itself: places reached, processes started again."""
    for line in stack.said().splitlines():
        if '"failpoint.reached"' in line:
            point = line.partition('"point":"')[2].partition('"')[0]
            outcome.fail_points[point] += 1
        elif "starting it again" in line:
            outcome.restarts += 1
