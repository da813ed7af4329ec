"""What is the matter with an installation that is there, and what to do about it. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from services.cli.examination import Installed
from services.cli.finding import Finding
from services.cli.telling import counted
from shared.runtime.health import MAX_LAG_SECONDS
from shared.runtime.installation import SCHEMA
from shared.runtime.settings import Settings

#: Renderers ask every second; this long a silence means that there is none.
SILENCE_SECONDS = 10.0
#: What is older is kept only because some group has not acknowledged it.
KEPT_HOURS = 24.0
SHOWN = 3


def installed_findings(settings: Settings, installed: Installed | None) -> Iterator[Finding]:
    """Judge what is in the engine."""
    if installed is None:
        yield Finding(
            "warning",
            "installation",
            "nothing was ever started on this engine",
            "see that it is the right one, then start writethru on it",
        )
        return
    yield _lanes(settings, installed)
    yield _schema(installed)
    yield _renderers(installed)
    yield _lag(installed)
    yield _keys(settings, installed)
    yield _inbox(installed)
    yield _held(installed)
    yield _retention(installed)
    yield _quarantine(installed)


def _lanes(settings: Settings, installed: Installed) -> Finding:
    lanes = len(installed.tags)
    if lanes != settings.lanes:
        return Finding(
            "error",
            "lanes",
            f"WRITETHRU_LANES is {settings.lanes}, and this installation has {lanes}",
            f"set WRITETHRU_LANES={lanes}; the number can't be changed later",
        )
    return Finding("ok", "lanes", f"{lanes}, as the settings say")


def _schema(installed: Installed) -> Finding:
    if installed.schema > SCHEMA:
        detail = f"its schema is {installed.schema}, and this writethru knows {SCHEMA}"
        return Finding("error", "installation", detail, "use a newer writethru")
    if not installed.has_key or not installed.schema:
        detail = "its key is gone, without which no event is known again"
        return Finding("error", "installation", detail, "restore the engine's data from a backup")
    return Finding("ok", "installation", f"schema {installed.schema}")


def _renderers(installed: Installed) -> Finding:
    missing = sum(not lane.grouped for lane in installed.wakeups)
    if missing:
        detail = f"{counted(missing, 'lane')} have no group `render`, so nobody hears of events"
        return Finding("error", "renderers", detail, "start render, which makes it anew")
    if installed.silence is None or installed.silence > SILENCE_SECONDS:
        said = "ever" if installed.silence is None else f"for {installed.silence:.0f} s"
        detail = f"no renderer has asked for work {said}"
        return Finding("warning", "renderers", detail, "start render, or the whole with `up`")
    return Finding("ok", "renderers", "all lanes are read")


def _lag(installed: Installed) -> Finding:
    behind = sum(lane.many for lane in installed.behind)
    if not behind:
        return Finding("ok", "lag", "every page is as its ledger")
    longest = max(lane.seconds for lane in installed.behind)
    detail = f"{counted(behind, 'article')} behind, one of them for {longest:.1f} s"
    if longest < MAX_LAG_SECONDS:
        return Finding("ok", "lag", detail)
    return Finding("error", "lag", detail, "see that render runs, and what its log says")


def _keys(settings: Settings, installed: Installed) -> Finding:
    keys, remedy = installed.keys, "make one: writethru keys create NAME --scope publish"
    if keys.damaged:
        remedy = "restore the engine's data from a backup, or make new keys"
        return Finding("error", "keys", "the record of an API key can't be read", remedy)
    if settings.no_auth:
        return Finding("ok", "keys", "none is needed: WRITETHRU_NO_AUTH lets this machine publish")
    if not keys.many:
        return Finding("warning", "keys", "there are no API keys, so nobody can publish", remedy)
    if not keys.alive:
        detail = f"all {counted(keys.many, 'API key')} revoked or expired, so nobody can publish"
        return Finding("warning", "keys", detail, remedy)
    return Finding("ok", "keys", f"{keys.alive} of {counted(keys.many, 'API key')} can be used")


def _inbox(installed: Installed) -> Finding:
    if installed.inbox_waiting and not installed.inbox_read:
        detail = f"{counted(installed.inbox_waiting, 'event')} in it, and nobody reads it"
        return Finding("error", "inbox", detail, "start ingest, which reads it")
    if installed.inbox_waiting:
        detail = f"{counted(installed.inbox_waiting, 'event')} in it, and it is read"
        return Finding("ok", "inbox", detail)
    return Finding("ok", "inbox", "nothing waits in it")


def _held(installed: Installed) -> Finding:
    holding = installed.holding
    if not holding.many:
        return Finding("ok", "held", "no event is held")
    detail = f"{counted(holding.many, 'event')} held; see writethru held list"
    if holding.overdue < MAX_LAG_SECONDS:
        return Finding("ok", "held", detail)
    detail = f"an article's held events were due {holding.overdue:.0f} s ago"
    return Finding("error", "held", detail, "see that ingest runs, and what its log says")


def _retention(installed: Installed) -> Finding:
    held = [each for each in installed.held if each.hours > KEPT_HOURS]
    if not held:
        return Finding("ok", "retention", "no group keeps old entries from being trimmed")
    worst = max(held, key=lambda each: each.hours)
    return Finding(
        "warning",
        "retention",
        f"group {worst.group} has left an entry of {worst.stream} unread or unacknowledged for "
        f"{worst.hours:.0f} hours, so that nothing since can be trimmed",
        f"run what reads it, or if that is gone: XGROUP DESTROY {worst.stream} {worst.group}",
    )


def _quarantine(installed: Installed) -> Finding:
    found = installed.quarantined
    if not found:
        return Finding("ok", "quarantine", "every event could be folded")
    events = sum(map(len, found.values()))
    named = [f"{slug} {', '.join(map(str, seqs))}" for slug, seqs in sorted(found.items())]
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return Finding(
        "warning",
        "quarantine",
        f"{counted(events, 'event')} without effect: {'; '.join(named[:SHOWN])}{more}",
        "see writethru quarantine list; once a version folds them, writethru quarantine requeue; "
        "else file what they meant once more, under another id",
    )
