"""The view of `status`: a moment of an installation as lines that keep their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.text import Text

from services.cli.finding import size
from services.cli.standing import Deliver, LaneStanding, Standing
from services.cli.telling import counted, one_line
from shared.runtime.backlog import Behind, Holding
from shared.runtime.health import MAX_LAG_SECONDS
from shared.runtime.subscribers import Subscribers

GOOD, FAIR, BAD, QUIET = "green", "yellow", "bold red", "dim"
#: A page that is older than this is worth a look; what is younger is work in progress.
FAIR_LAG_SECONDS = 2.0
DAY_SECONDS = 86_400
LATE_SHOWN = 3
MARGIN, LABEL = "  ", 12
COLUMNS = (
    ("LANE", 6), ("ARTICLES", 10), ("BEHIND", 8), ("LAG", 9), ("UNREAD", 9), ("PENDING", 9),
    ("FILED", 13), ("COMMITS", 12),
)  # fmt: skip


def board(standing: Standing, *, height: int | None = None, trouble: str = "") -> Text:
    """Return the whole view, in at most *height* lines; *trouble* is why it isn't newer."""
    above = [_title(standing, trouble), Text(), *_facts(standing), Text()]
    lines = [*above, *_table(standing, None if height is None else height - len(above))]
    return Text("\n").join(lines)


def _title(standing: Standing, trouble: str) -> Text:
    at = standing.at.astimezone().strftime("%H:%M:%S")
    title = Text.assemble(("writethru", "bold"), f" on {standing.place} at {at}")
    if trouble:
        title.append(f"   {trouble}", BAD)
    return title


def _facts(standing: Standing) -> Iterator[Text]:
    engine = standing.engine
    up = duration(engine.uptime_seconds)
    yield _fact("engine", f"{engine.name}, up {up}, {counted(engine.clients, 'client')}")
    yield _fact("memory", _memory(standing))
    yield _fact("articles", _articles(standing))
    rates = standing.rates
    yield _fact("filed", f"{rates.filed:,.1f} events a second" if rates else "–")
    yield _fact("commits", f"{rates.commits:,.1f} a second" if rates else "–")
    yield _fact("behind", *_behind(standing.behind))
    refused = f"; {counted(standing.refused, 'event')} refused" if standing.refused else ""
    yield _fact("inbox", f"{counted(standing.waiting, 'event')} waiting{refused}")
    yield _fact("held", *_held(standing.holding))
    yield _fact("cadence", *_cadence(standing))
    yield _fact("quarantine", *_quarantine(standing))
    yield _fact("webhooks", *_webhooks(standing.subscribers))
    for number, deliver in enumerate(standing.delivers):
        yield _fact("" if number else "deliver", *_deliver(deliver))


def _fact(label: str, value: str, style: str = "") -> Text:
    return Text.assemble(MARGIN, (f"{label:<{LABEL}}", QUIET), (value, style))


def _memory(standing: Standing) -> str:
    used, most = standing.engine.memory_used, standing.engine.memory_max
    return f"{size(used)} of {size(most)}, {used / most:.0%}" if most else f"{size(used)}, no limit"


def _articles(standing: Standing) -> str:
    count, newest = f"{standing.total('articles'):,}", standing.newest
    if newest is None:
        return count
    return f"{count}, newest {newest.article}, {_ago(newest.updated_at, standing.at)}"


def _behind(behind: Behind) -> tuple[str, str]:
    if not behind.many:
        return "none", GOOD
    said = f"{counted(behind.many, 'article')}, the longest for {behind.seconds:.1f} s"
    return said, _lag_style(behind.seconds)


def _lag_style(seconds: float) -> str:
    if seconds < FAIR_LAG_SECONDS:
        return ""
    return FAIR if seconds < MAX_LAG_SECONDS else BAD


def _held(holding: Holding) -> tuple[str, str]:
    if not holding.many:
        return "none", GOOD
    said = counted(holding.many, "event")
    if holding.overdue < FAIR_LAG_SECONDS:
        return said, ""
    return f"{said}, one due for {holding.overdue:.1f} s: see that ingest runs", BAD


def _cadence(standing: Standing) -> tuple[str, str]:
    """Say how articles keep what their pages promise, and which don't, since when."""
    kept = standing.punctual
    if not kept.on_time + kept.due + kept.overdue:
        return "no article promises news", ""
    said = f"{kept.on_time:,} on time, {kept.due:,} due, {kept.overdue:,} overdue"
    if not kept.overdue:
        return said, GOOD if not kept.due else ""
    named = [
        f"{late.article} since {_hour(late.since, standing.at)}" for late in kept.late[:LATE_SHOWN]
    ]
    more = ", …" if kept.overdue > LATE_SHOWN else ""
    return f"{said}: {', '.join(named)}{more}", FAIR


def _hour(then: datetime, at: datetime) -> str:
    """Return a time of the last day as such, with how long ago it was; an older one's day."""
    form = "%H:%M:%S" if (at - then).total_seconds() < DAY_SECONDS else "%Y-%m-%d"
    return f"{then.astimezone().strftime(form)} ({duration((at - then).total_seconds())})"


def _quarantine(standing: Standing) -> tuple[str, str]:
    found = standing.quarantined
    if not found:
        return "none", GOOD
    events = counted(sum(map(len, found.values())), "event")
    return f"{events} of {', '.join(sorted(found)[:3])}{', …' if len(found) > 3 else ''}", FAIR


def _webhooks(found: Subscribers) -> tuple[str, str]:
    if not found.many:
        return "no subscriptions", ""
    troubles = [
        f"{number:,} {what}"
        for number, what in (
            (found.disabled, "disabled"),
            (found.failing, "failing"),
            (found.dead, "messages given up"),
        )
        if number
    ]
    said = [counted(found.many, "subscription")]
    said += [f"{found.paused:,} paused"] if found.paused else []
    said += [*troubles, f"{counted(found.waiting, 'article')} to tell"]
    return ", ".join(said), FAIR if troubles else ""


def _deliver(deliver: Deliver) -> tuple[str, str]:
    if deliver.trouble:
        return f"{deliver.url}   {one_line(deliver.trouble)}", BAD
    return f"{deliver.url}   {deliver.readers:,} of {deliver.room:,} readers", ""


def _table(standing: Standing, height: int | None) -> Iterator[Text]:
    yield _row(*(name for name, _ in COLUMNS), style=QUIET)
    shown = _shown(standing.lanes, height)
    for lane in shown:
        yield _lane_row(lane.tag, lane)
    if left := len(standing.lanes) - len(shown):
        yield Text(f"{MARGIN}… and {left:,} more", QUIET)
    if len(standing.lanes) > 1:
        yield _lane_row("all", _together(standing), style="bold")


def _shown(lanes: Sequence[LaneStanding], height: int | None) -> Sequence[LaneStanding]:
    """Return the lanes that there is room for beside three lines, in their own order.

    The first ones, so that they don't change all the time, but those that are late before them.
    """
    if height is None or len(lanes) <= height - 2:
        return lanes
    latest = sorted(lanes, key=lambda lane: -lane.behind.seconds if _is_late(lane) else 0.0)
    chosen = {lane.tag for lane in latest[: max(height - 3, 1)]}
    return [lane for lane in lanes if lane.tag in chosen]


def _is_late(lane: LaneStanding) -> bool:
    return lane.behind.seconds >= FAIR_LAG_SECONDS


def _together(standing: Standing) -> LaneStanding:
    return LaneStanding(
        "",
        standing.total("articles"),
        standing.behind,
        standing.wakeups,
        standing.total("filed"),
        standing.total("commits"),
    )


def _lane_row(name: str, lane: LaneStanding, style: str = "") -> Text:
    behind, wakeups = lane.behind, lane.wakeups
    if not wakeups.grouped:
        return _row(name, f"{lane.articles:,}", "no group `render`: start render", style=BAD)
    return _row(
        name,
        f"{lane.articles:,}",
        f"{behind.many:,}",
        f"{behind.seconds:,.1f} s" if behind.many else "–",
        f"{wakeups.unread:,}",
        f"{wakeups.pending:,}",
        f"{lane.filed:,}",
        f"{lane.commits:,}",
        style=_lag_style(behind.seconds) or style,
    )


def _row(first: str, *cells: str, style: str = "") -> Text:
    widths = [width for _, width in COLUMNS]
    rest = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=False))
    return Text(f"{MARGIN}{first:<{widths[0]}}{rest}", style)


def duration(seconds: float) -> str:
    """Return a span of time in its two largest units."""
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((place for place, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2])


def _ago(then: datetime, at: datetime) -> str:
    seconds = (at - then).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 1 else "just now"
