"""How `writethru keys` shows a key: in a line, in a row, and as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.article.dates import rfc3339
from shared.contract.access import ApiKey, ended
from shared.runtime.clock import now

HEADINGS = ("ID", "NAME", "MAY", "ARTICLES", "SOURCES", "CREATED", "LAST USED", "")


def rights(key: ApiKey) -> str:
    until = f"; until {second(key.expires)}" if key.expires else ""
    levels = f"; {_set(key)}" if key.checks else ""
    floor = f"; durability {key.durability}" if key.durability else ""
    rate = f"; {_rate(key)}" if key.rate else ""
    return (
        f"may {', '.join(key.scopes)}; articles {', '.join(key.articles)}; "
        f"sources {', '.join(key.sources)}{levels}{floor}{rate}{until}"
    )


def _rate(key: ApiKey) -> str:
    return f"{key.rate} events a minute"


def _set(key: ApiKey) -> str:
    return "checks " + ", ".join(f"{check}={level}" for check, level in key.checks.items())


def _state(key: ApiKey) -> str:
    """Say what ends of a key, and when, or how it ended; and what levels it sets."""
    if key.revoked:
        return f"revoked {second(key.revoked)}"
    if key.expires and ended(key.expires, now()):
        return f"expired {second(key.expires)}"
    ends = [each.expires for each in key.alive(now()) if each.expires]
    older = [f"an older token ends {second(max(ends))}"] if ends else []
    expires = [f"expires {second(key.expires)}"] if key.expires else []
    limits = [_rate(key)] if key.rate else []
    return "; ".join([*expires, *older, *limits, *([_set(key)] if key.checks else [])])


def row(key: ApiKey, used: datetime | None) -> tuple[str, ...]:
    return (
        key.key_id,
        key.name,
        ",".join(key.scopes),
        ",".join(key.articles),
        ",".join(key.sources),
        second(key.created),
        second(used) if used else "never",
        _state(key),
    )


def facts(key: ApiKey, used: datetime | None) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "name": key.name,
        "scopes": key.scopes,
        "articles": key.articles,
        "sources": key.sources,
        "checks": key.checks,
        "durability": key.durability,
        "rate": key.rate,
        "created": second(key.created),
        "expires": key.expires and second(key.expires),
        "revoked": key.revoked and second(key.revoked),
        "last_used": used and second(used),
        "tokens": [
            {"created": second(each.created), "expires": each.expires and second(each.expires)}
            for each in key.secrets
        ],
    }


def second(at: datetime) -> str:
    return rfc3339(at.replace(microsecond=0))
