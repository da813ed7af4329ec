"""Times: read from the wire, written for the wire, and shown in an article's zone and locale.

Pure: zones come from the pinned `tzdata` package, never from the machine, and formats from
Babel's CLDR, so the same instant reads the same everywhere.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

from babel.core import Locale, UnknownLocaleError
from babel.dates import DateTimePattern, parse_pattern

#: What RFC 5646 asks of those who set a limit to language tags.
MAX_TAG_CHARS = 35

_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]((?:[01][0-9]|2[0-3]):[0-5][0-9]):([0-5][0-9]|60)"
    r"(\.[0-9]+)?([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_YEAR = re.compile(r"'[^']*'|y+")
#: CLDR keeps figures and their marks on one line with these; the page has ordinary spaces.
_SPACES = str.maketrans("\u00a0\u202f", "  ")


class _Forms(NamedTuple):
    locale: Locale
    date: DateTimePattern
    date_time: DateTimePattern


@lru_cache(maxsize=256)  # each is looked at twice: is it a time, and which
def parse_rfc3339(text: str) -> datetime:
    """Return the instant that *text* names, in UTC, cut to microseconds.

    A leap second counts as the second after it. Raises ValueError.
    """
    if not (found := _RFC3339.fullmatch(text)):
        raise ValueError('must be an RFC 3339 time with its zone, such as "2026-02-28T09:30:00Z"')
    day, minute, second, fraction, offset = found.groups(default="")
    leap = timedelta(seconds=int(second == "60"))
    second = "59" if leap else second
    try:
        when = datetime.fromisoformat(f"{day}T{minute}:{second}{fraction[:7]}{offset.upper()}")
        utc = when.astimezone(UTC)
        if leap and (utc.hour, utc.minute) != (23, 59):
            raise ValueError
        return utc + leap
    except (ValueError, OverflowError):
        raise ValueError("names a day or a time that doesn't exist") from None


def rfc3339(when: datetime) -> str:
    """Return *when* in UTC with a ``Z``; a fraction only as far as there is one."""
    if when.tzinfo is None:
        raise ValueError("a time without a zone names no instant")
    text = when.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if when.microsecond else text) + "Z"


def known_zone(name: str) -> bool:
    """Whether *name* is an IANA zone of the pinned package, in its own spelling."""
    return name in _zone_names()


@cache
def zone(name: str) -> ZoneInfo:
    """Return the zone; raises KeyError when it is not `known_zone`."""
    if not known_zone(name):
        raise KeyError(name)
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text("ascii").split())


@lru_cache(maxsize=1024)
def known_locale(tag: str) -> bool:
    """Whether *tag* is a BCP 47 tag, without extensions, whose formats CLDR has."""
    if len(tag) > MAX_TAG_CHARS or not _TAG.fullmatch(tag):
        return False
    try:
        Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return False
    return True


def date(when: datetime, zone: str, locale: str) -> str:
    """Return the day of *when* in figures; KeyError for a zone or locale that isn't known."""
    forms = _forms(locale)
    return forms.date.apply(_local(when, zone), forms.locale).translate(_SPACES)


def date_time(when: datetime, zone: str, locale: str) -> str:
    """Return day and time to the second in figures; KeyError as `date`."""
    forms = _forms(locale)
    return forms.date_time.apply(_local(when, zone), forms.locale).translate(_SPACES)


def _local(when: datetime, name: str) -> datetime:
    """Return *when* on the clocks of zone *name*; UTC where the calendar ends before they do."""
    try:
        return when.astimezone(zone(name))
    except OverflowError:
        return when.astimezone(UTC)


@lru_cache(maxsize=256)
def _forms(tag: str) -> _Forms:
    """Return CLDR's short date with a four-digit year, and that with the time to the second."""
    if not known_locale(tag):
        raise KeyError(tag)
    locale = Locale.parse(tag, sep="-")
    short = str(locale.date_formats["short"].pattern)
    day = _YEAR.sub(lambda found: "yyyy" if found[0][0] == "y" else found[0], short)
    time = str(locale.time_formats["medium"].pattern)
    return _Forms(locale, parse_pattern(day), parse_pattern(f"{day}', '{time}"))


def cadence(seconds: int) -> str:
    """Return how often that is, in the largest unit that divides it; *seconds* is at least 1."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds % length == 0:
            return _every(seconds // length, unit)
    return _every(seconds, "second")


def _every(count: int, unit: str) -> str:
    return f"every {unit}" if count == 1 else f"every {count} {unit}s"
