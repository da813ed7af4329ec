"""Which articles to tell of again, and from where: one, or all that a subscription is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from services.deliver.core.subscription import Subscription
from services.deliver.reading import Reading
from services.deliver.webhooks.forms import wrong
from shared.contract.errors import FieldError
from shared.runtime.outlet_keys import SubscriptionKeys

ARTICLES_A_READ = 500


async def places_of(
    redis: Redis, reading: Reading, record: Subscription, article: str | None, start: int
) -> Sequence[tuple[str, int]]:
    """Return each article to tell of again, with the version to begin at.

    Raises:
        InvalidEvent: the article is not one of the subscription's, or has no such version.
    """
    if article is not None:
        return [(article, await _checked(reading, record, article, start))]
    told = await _told(redis, reading, record)
    slugs = sorted(slug for slug in told | await _listed(redis, reading) if record.names(slug))
    found: list[tuple[str, int]] = []
    for at in range(0, len(slugs), ARTICLES_A_READ):
        some = slugs[at : at + ARTICLES_A_READ]
        stands = dict(zip(some, await reading.stands(some), strict=True))
        heads = {head.slug: head for head in await reading.heads(some)}
        about = told | {
            slug for slug, head in heads.items() if record.is_about(head.section, head.tags)
        }
        found += [
            (slug, start)
            for slug, stand in stands.items()
            if slug in about and stand and stand.version > start
        ]
    return found


async def _checked(reading: Reading, record: Subscription, article: str, start: int) -> int:
    if not record.names(article):
        said = f"is not one of this subscription's articles, {', '.join(record.articles)}"
        raise wrong(FieldError("/article", said))
    stand = await reading.stand(article)
    if stand is None:
        raise wrong(FieldError("/article", f"there is no article {article}"))
    if start > stand.version:
        raise wrong(FieldError("/from", f"must be a version, of which the last is {stand.version}"))
    return start


async def _told(redis: Redis, reading: Reading, record: Subscription) -> set[str]:
    async with reading.patience():
        told: Any = await redis.hkeys(SubscriptionKeys(record.subscription_id).told)
    return {slug.decode() for slug in told}


async def _listed(redis: Redis, reading: Reading) -> set[str]:
    async with reading.patience(), redis.pipeline(transaction=False) as asked:
        for lane in reading.lanes:
            asked.zrange(lane.latest, 0, -1)
        return {slug.decode() for found in await asked.execute() for slug in found}
