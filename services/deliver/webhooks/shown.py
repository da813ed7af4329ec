"""A subscription as it is shown to who may see it: never with a secret, nor a word of copy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.deliver.core.subscription import Subscription
from services.deliver.webhooks.records import Deliveries, State
from shared.article.dates import rfc3339

#: Why a subscription is disabled, in a sentence.
REASONS = {
    "gone": "The endpoint answered 410 Gone. Mend it, then resume.",
    "failing": "Every attempt has failed for five days. Mend the endpoint, then resume.",
    "key": "The key that made it opens nothing any more.",
}


def facts(record: Subscription, state: State, now: datetime) -> dict[str, Any]:
    """Return what is shown of one subscription, in a list or alone."""
    return {
        "id": record.subscription_id,
        "url": record.url,
        "name": record.name or None,
        "status": state.status,
        "reason": state.reason and REASONS.get(state.reason, state.reason),
        "articles": list(record.articles),
        "sections": list(record.sections),
        "tags": list(record.tags),
        "kinds": list(record.kinds),
        "payload": record.payload,
        "created_at": rfc3339(record.created),
        "created_by": record.created_by,
        "failing_since": _time(state.failing_since),
        "rests_until": _time(state.rests_until),
        "last_attempt_at": _time(state.attempted),
        "last_delivery_at": _time(state.delivered),
        "waiting": state.waiting,
        "dead": state.dead,
        "secrets": [
            {"created_at": rfc3339(each.created), "expires_at": _time(each.expires)}
            for each in record.secrets
            if each.alive(now)
        ],
    }


def whole(
    record: Subscription, state: State, deliveries: Deliveries, now: datetime
) -> dict[str, Any]:
    """Return it with its last attempts."""
    return {**facts(record, state, now), "recent": list(deliveries.recent)}


def letters(dead: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return messages that were given up as they are shown."""
    return [
        {name: value for name, value in each.items() if name not in ("start", "message")}
        for each in dead
    ]


def _time(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None
