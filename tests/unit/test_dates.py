"""Times on the wire and on the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.article.dates import (
    cadence,
    date,
    date_time,
    known_locale,
    known_zone,
    parse_rfc3339,
    rfc3339,
    zone,
)

NIGHT = datetime(2025, 11, 5, 5, 10, 4, tzinfo=UTC)
AFTERNOON = datetime(2024, 2, 29, 14, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("locale", "day", "night", "afternoon"),
    [
        ("en-US", "11/5/2025", "11/5/2025, 5:10:04 AM", "2/29/2024, 2:05:09 PM"),
        ("en-GB", "05/11/2025", "05/11/2025, 05:10:04", "29/02/2024, 14:05:09"),
        ("de-DE", "05.11.2025", "05.11.2025, 05:10:04", "29.02.2024, 14:05:09"),
        ("fr-FR", "05/11/2025", "05/11/2025, 05:10:04", "29/02/2024, 14:05:09"),
        ("es-ES", "5/11/2025", "5/11/2025, 5:10:04", "29/2/2024, 14:05:09"),
        ("en-CA", "2025-11-05", "2025-11-05, 5:10:04 a.m.", "2024-02-29, 2:05:09 p.m."),
        ("fr-CA", "2025-11-05", "2025-11-05, 05 h 10 min 04 s", "2024-02-29, 14 h 05 min 09 s"),
        ("nl-NL", "05-11-2025", "05-11-2025, 05:10:04", "29-02-2024, 14:05:09"),
        ("pl-PL", "5.11.2025", "5.11.2025, 05:10:04", "29.02.2024, 14:05:09"),
        ("fi-FI", "5.11.2025", "5.11.2025, 5.10.04", "29.2.2024, 14.05.09"),
        ("bg-BG", "5.11.2025 г.", "5.11.2025 г., 5:10:04", "29.02.2024 г., 14:05:09"),
        ("el-GR", "5/11/2025", "5/11/2025, 5:10:04 π.μ.", "29/2/2024, 2:05:09 μ.μ."),
        ("eu-ES", "2025/11/5", "2025/11/5, 05:10:04", "2024/2/29, 14:05:09"),
        ("he-IL", "5.11.2025", "5.11.2025, 5:10:04", "29.2.2024, 14:05:09"),
        ("ja-JP", "2025/11/05", "2025/11/05, 5:10:04", "2024/02/29, 14:05:09"),
        ("zh-TW", "2025/11/5", "2025/11/5, 清晨5:10:04", "2024/2/29, 下午2:05:09"),
        ("hu-HU", "2025. 11. 05.", "2025. 11. 05., 5:10:04", "2024. 02. 29., 14:05:09"),
    ],
)
def test_a_locale_has_its_own_figures(locale, day, night, afternoon):
    assert date(NIGHT, "UTC", locale) == day
    assert date_time(NIGHT, "UTC", locale) == night
    assert date_time(AFTERNOON, "UTC", locale) == afternoon


def test_midnight_and_noon_are_twelve_in_the_twelve_hour_clock():
    midnight = parse_rfc3339("2025-11-15T05:00:00Z")

    assert date_time(midnight, "America/New_York", "en-US") == "11/15/2025, 12:00:00 AM"
    assert (
        date_time(midnight + timedelta(hours=12), "America/New_York", "en-US")
        == "11/15/2025, 12:00:00 PM"
    )


def test_the_day_is_the_day_in_the_articles_zone():
    late = parse_rfc3339("2025-11-15T04:59:59Z")

    assert date(late, "America/New_York", "en-US") == "11/14/2025"
    assert date(late, "Europe/London", "en-GB") == "15/11/2025"


def test_the_hour_that_summer_time_repeats_reads_the_same_twice():
    first = parse_rfc3339("2025-10-26T00:30:00Z")
    second = parse_rfc3339("2025-10-26T01:30:00Z")

    assert date_time(first, "Europe/Berlin", "de-DE") == "26.10.2025, 02:30:00"
    assert date_time(second, "Europe/Berlin", "de-DE") == "26.10.2025, 02:30:00"


def test_the_hour_that_summer_time_skips_is_never_shown():
    before = parse_rfc3339("2025-03-30T00:59:59Z")

    assert date_time(before, "Europe/Berlin", "de-DE") == "30.03.2025, 01:59:59"
    after = before + timedelta(seconds=1)
    assert date_time(after, "Europe/Berlin", "de-DE") == "30.03.2025, 03:00:00"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Asia/Kathmandu", "15/11/2025, 10:45:00"),
        ("Pacific/Chatham", "15/11/2025, 18:45:00"),
        ("America/St_Johns", "15/11/2025, 01:30:00"),
        ("Pacific/Kiritimati", "15/11/2025, 19:00:00"),
        ("Etc/GMT+12", "14/11/2025, 17:00:00"),
    ],
)
def test_zones_need_not_be_whole_hours_apart(name, shown):
    assert date_time(parse_rfc3339("2025-11-15T05:00:00Z"), name, "en-GB") == shown


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize("name", ["Europe/London", "Pacific/Kiritimati", "America/New_York"])
def test_the_ends_of_the_calendar_have_a_date_in_every_zone(text, name):
    assert date(parse_rfc3339(text), name, "en-GB").endswith(f"/{text[:4]}")


def test_summer_time_goes_on_in_years_beyond_the_tables():
    july = parse_rfc3339("2200-07-01T00:30:00Z")

    assert date_time(july, "Europe/London", "en-GB") == "01/07/2200, 01:30:00"


@pytest.mark.parametrize("name", ["UTC", "America/New_York", "US/Eastern", "America/Indiana/Knox"])
def test_zones_of_the_package_are_known(name):
    assert known_zone(name)
    assert zone(name).key == name


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "europe/london", "../zones", "America", "EST5"]
)
def test_a_name_outside_the_packages_list_is_no_zone(name):
    assert not known_zone(name)
    with pytest.raises(KeyError):
        zone(name)


@pytest.mark.parametrize(
    "tag", ["en-US", "en", "de-DE", "zh-Hans-CN", "sr-Latn-RS", "EN-gb", "fil"]
)
def test_tags_with_formats_are_known(tag):
    assert known_locale(tag)


@pytest.mark.parametrize(
    "tag",
    ["", "en_US", "xx-XX", "english", "root", "en-US-u-ca-buddhist", "en-" + "a" * 40, "en-US\n"],
)
def test_other_tags_are_not(tag):
    assert not known_locale(tag)
    with pytest.raises(KeyError):
        date(NIGHT, "UTC", tag)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2025-11-15T05:10:44Z", "2025-11-15T05:10:44Z"),
        ("2025-11-15t05:10:44z", "2025-11-15T05:10:44Z"),
        ("2025-11-15T00:10:44-05:00", "2025-11-15T05:10:44Z"),
        ("2025-11-15T10:55:44.500+05:45", "2025-11-15T05:10:44.5Z"),
        ("2025-11-15T05:10:44.0000009Z", "2025-11-15T05:10:44Z"),
        ("2025-11-15T05:10:44.1234567Z", "2025-11-15T05:10:44.123456Z"),
        ("2025-11-15T05:10:44-00:00", "2025-11-15T05:10:44Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T18:59:60.25-05:00", "2017-01-01T00:00:00.25Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("0800-01-01T00:00:00Z", "0800-01-01T00:00:00Z"),
    ],
)
def test_a_time_is_read_and_written_in_utc(text, same):
    assert rfc3339(parse_rfc3339(text)) == same


@pytest.mark.parametrize(
    "text",
    ["", "2025-11-15", "2025-11-15T05:10:44", "2025-11-15 05:10:44Z", "2025-11-15T05:10Z",
     "20251115T051044Z", "2025-02-29T00:00:00Z", "2025-11-31T00:00:00Z", "2025-11-15T24:00:00Z",
     "2025-11-15T05:60:00Z", "2025-11-15T05:10:61Z", "2025-11-15T05:10:60Z",
     "2025-11-15T05:10:44+24:00", "2025-11-15T05:10:44+05:60", "2025-11-15T05:10:44+0500",
     "2025-11-15T05:10:44.Z", "2025-11-15T05:10:44,5Z", "2025-11-15T05:10:44Z\n", "now",
     "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:60Z",
     "٢٠٢٥-11-15T05:10:44Z"],
)  # fmt: skip
def test_what_names_no_instant_is_refused(text):
    with pytest.raises(ValueError, match=r"must be an RFC 3339 time|doesn't exist"):
        parse_rfc3339(text)


def test_a_time_of_another_zone_is_written_in_utc():
    there = timezone(timedelta(hours=5, minutes=45))

    assert rfc3339(datetime(2025, 11, 15, 10, 55, 44, tzinfo=there)) == "2025-11-15T05:10:44Z"


def test_a_time_without_a_zone_is_not_written():
    with pytest.raises(ValueError, match="zone"):
        rfc3339(datetime(2025, 11, 15))  # noqa: DTZ001 -- the point


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, "every second"),
        (45, "every 45 seconds"),
        (60, "every minute"),
        (90, "every 90 seconds"),
        (600, "every 10 minutes"),
        (3600, "every hour"),
        (5400, "every 90 minutes"),
        (7200, "every 2 hours"),
        (86400, "every 24 hours"),
    ],
)
def test_a_cadence_is_said_in_the_largest_unit_that_divides_it(seconds, said):
    assert cadence(seconds) == said
