"""Fields of what is stored of an article, as a fold needs them, at the version it goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redis.asyncio import Redis

from services.render.core.filed import FIELDS, present, read_filed
from services.render.core.writes import InconsistentError
from shared.article.article import Head, Update
from shared.article.stored import load_update
from shared.runtime.keys import ArticleKeys

FIELDS_A_READ = 500


async def read_updates(
    redis: Redis, keys: ArticleKeys, refs: Mapping[str, str]
) -> dict[str, Update]:
    """Return the forms that *refs* name.

    Raises:
        InconsistentError: one is gone, or can't be read.
    """
    found = await _read(redis, keys.updates, list(refs.values()))
    if len(found) < len(refs):
        raise InconsistentError("an update is gone")
    try:
        return {name: load_update(found[ref].encode()) for name, ref in refs.items()}
    except ValueError:
        # From None: its words are copy.
        raise InconsistentError("an update can't be read") from None


async def read_at(
    redis: Redis, keys: ArticleKeys, head: Head, key: str, fields: Sequence[str]
) -> dict[str, str]:
    """Return those of *fields* that the hash *key* has while the article is at *head*.

    Raises:
        InconsistentError: it is not, so they may be what these very events made of them.
    """
    found: dict[str, str] = {}
    for start in range(0, len(fields), FIELDS_A_READ):
        some = fields[start : start + FIELDS_A_READ]
        async with redis.pipeline(transaction=True) as step:
            step.hmget(keys.article, FIELDS)
            step.hmget(key, some)
            facts, values = await step.execute()
        if not read_filed(facts).at(head):
            raise InconsistentError("the article has moved on")
        found |= present(some, values)
    return found


async def _read(redis: Redis, key: str, fields: Sequence[str]) -> dict[str, str]:
    """Return those of *fields* that the hash *key* has."""
    found: dict[str, str] = {}
    for start in range(0, len(fields), FIELDS_A_READ):
        some = fields[start : start + FIELDS_A_READ]
        found |= present(some, await redis.hmget(key, some))
    return found
