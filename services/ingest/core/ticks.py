"""When sources are pulled: on a grid that begins with an article's publication. Pure.

Tick *k* is publication and *k* cadences, so nothing adds up over a day, whoever was late or away.
All ticks of an article are put off by the same part of the cadence, which follows from its slug: a
thousand articles that were published at once are not pulled at once, and an article's ticks
keep their distance. Times are milliseconds since 1970.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace

import orjson

#: Ticks are put off by up to this part of the cadence, and no longer than this.
JITTER_SHARE, MOST_JITTER_MS = 0.1, 30_000
#: The first pause of a source that fails, as a part of the cadence, and between which bounds.
FIRST_SHARE, LEAST_PAUSE_MS, MOST_FIRST_MS = 0.05, 1_000, 30_000
#: A source that goes on failing is asked this seldom at last, or on its cadence if that is longer.
LONGEST_PAUSE_MS = 3_600_000
#: A pause is longer by up to this part of it.
PAUSE_JITTER = 0.2
_DOUBLINGS = 20


@dataclass(frozen=True, slots=True)
class Grid:
    """The ticks of one article: *origin* is its publication."""

    slug: str
    origin: int
    cadence: int

    @property
    def jitter(self) -> int:
        """By how much all of its ticks are put off."""
        most = min(int(self.cadence * JITTER_SHARE), MOST_JITTER_MS)
        digest = hashlib.sha256(self.slug.encode()).digest()
        return int.from_bytes(digest[:8], "big") * most >> 64

    def tick(self, now: float) -> int:
        """Return the last tick before *now*, the first at least: the moment it is called by."""
        return self.origin + max(self._number(now), 0) * self.cadence

    def after(self, now: float) -> int:
        """Return when the next tick after *now* is due; none is before publication."""
        return self.origin + max(self._number(now) + 1, 0) * self.cadence + self.jitter

    def _number(self, now: float) -> int:
        return (int(now) - self.jitter - self.origin) // self.cadence


@dataclass(frozen=True, slots=True)
class Pulse:
    """How one source does.

    *source* tells its kind and address from others of the same name; *origin* and *cadence* are
    those of its grid. It has had *failures* in a row *since* then, and says of the last one what
    it was; until *rests* it is left alone. *tick* is the last that was done.
    """

    source: str
    origin: int
    cadence: int
    tick: int = 0
    failures: int = 0
    failure: str = ""
    rests: int = 0
    since: int = 0

    def dumps(self) -> str:
        """Return it as it is kept."""
        return orjson.dumps(asdict(self)).decode()

    def on(self, grid: Grid) -> Pulse:
        """Return it on another grid."""
        return replace(self, origin=grid.origin, cadence=grid.cadence)

    def done(self, tick: int) -> Pulse:
        """Return how it does once it was pulled at *tick*."""
        return Pulse(self.source, self.origin, self.cadence, tick)

    def failed(self, now: float, reason: str, chance: float, rest: float | None = None) -> Pulse:
        """Return how it does that could not be pulled *now*.

        *chance* is from 0 to 1; *rest* is for how many seconds it asked to be left alone.
        """
        failures = self.failures + 1
        pause = max(pause_ms(self.cadence, failures, chance), (rest or 0.0) * 1e3)
        since, until = self.since or int(now), int(now + pause)
        return replace(self, failures=failures, failure=reason, rests=until, since=since)


def loaded(text: bytes | None) -> Pulse | None:
    """Read what `Pulse.dumps` wrote; None for what can't be read."""
    try:
        return Pulse(**orjson.loads(text)) if text else None
    except (ValueError, TypeError):
        return None


def identity(kind: str, url: str) -> str:
    """Return what tells a source from another one of its name; the address isn't in it."""
    return hashlib.sha256(f"{kind} {url}".encode()).hexdigest()[:12]


def pause_ms(cadence: int, failures: int, chance: float) -> float:
    """Return how long to leave a source alone after so many *failures* in a row."""
    first = min(max(cadence * FIRST_SHARE, LEAST_PAUSE_MS), MOST_FIRST_MS)
    longest = max(cadence, LONGEST_PAUSE_MS)
    pause = min(first * 2 ** min(failures - 1, _DOUBLINGS), longest)
    return float(pause * (1 + PAUSE_JITTER * chance))
