"""Every instant can be read, written and shown, wherever the article is."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from importlib.resources import files

from babel.localedata import locale_identifiers
from hypothesis import given
from hypothesis import strategies as st

from shared.article.dates import date, date_time, known_locale, parse_rfc3339, rfc3339, zone

ZONES = files("tzdata").joinpath("zones").read_text("ascii").split()
TAGS = [tag for name in locale_identifiers() if known_locale(tag := name.replace("_", "-"))]
INSTANTS = st.datetimes(timezones=st.just(UTC))


@given(INSTANTS)
def test_what_was_written_reads_as_the_same_instant(when):
    assert parse_rfc3339(rfc3339(when)) == when


@given(INSTANTS, st.sampled_from(ZONES), st.sampled_from(TAGS))
def test_every_instant_has_a_line_in_every_zone_and_locale(when, name, tag):
    line = date_time(when, name, tag)

    assert line.startswith(date(when, name, tag) + ", ")
    assert len(line.splitlines()) == 1
    assert not set(line) & {"\u00a0", "\u202f"}


@given(st.datetimes(datetime(1900, 1, 2), datetime(2500, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_en_us_is_what_a_browser_prints(when):
    local = when.astimezone(zone("America/New_York"))
    half = "AM" if local.hour < 12 else "PM"
    clock = f"{local.hour % 12 or 12}:{local.minute:02}:{local.second:02} {half}"

    shown = date_time(when, "America/New_York", "en-US")

    assert shown == f"{local.month}/{local.day}/{local.year}, {clock}"


@given(st.text())
def test_any_text_is_a_time_or_a_value_error(text):
    with suppress(ValueError):
        assert parse_rfc3339(text).tzinfo is UTC
