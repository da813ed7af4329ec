"""Folding an article from its first event, and putting what comes of it in place of what is stored.

`refold` reads and folds. `replaced` also compares, before and after, as `verify` does, but folds
once for all of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from redis.asyncio import Redis

from services.render.core.audit import expected_of, ledger_faults, state_faults
from services.render.core.filed import Filed, LedgerError, follows
from services.render.core.trust import DistrustedError
from services.render.ledger import records_of
from services.render.verify import beside, read_kept, verify
from shared.article.article import Article, Entry, Head, Update
from shared.article.fold import fold
from shared.article.stored import load_entry
from shared.runtime.installation import Installation
from shared.runtime.keys import ArticleKeys
from shared.runtime.shelf import Shelves


@dataclass(frozen=True, slots=True)
class Refolded:
    """What a whole ledger, *records*, gives.

    *new* are the entries beyond the version that was committed; *failed* says, by seq, why an
    event could not be folded.
    """

    article: Article
    records: list[bytes]
    new: list[Entry]
    failed: dict[int, str]


class Replaced(NamedTuple):
    """How many differences are *mended*, and which are *left*, in sentences."""

    mended: int
    left: list[str]


async def refold(redis: Redis, keys: ArticleKeys, filed: Filed) -> Refolded | None:
    """Fold the ledger, which has what was *filed*; None if it became another meanwhile.

    Raises:
        LedgerError: it has less.
    """
    article, table = Article(Head(keys.slug)), dict[str, Update]()
    made = Refolded(article, [], [], {})
    while records := await records_of(redis, keys, article.head.version):
        if not follows(article.head, records[0]):
            return None
        entries = [load_entry(record) for record in records]
        folded = fold(article.head, article.body, table, entries)
        table.update(folded.changed)  # ours alone: a copy a round would grow with the article
        if folded.head.status == "killed":
            table.clear()
        article = Article(folded.head, folded.body, table)
        made.failed.update(folded.failed)
        made.records.extend(records)
        made.new.extend(entry for entry in entries if entry.seq > filed.version)
    found = article.head.version
    if found < filed.seq or not found:
        raise LedgerError(f"{keys.slug}: {filed.seq} events were accepted, {found} are there")
    return replace(made, article=article)


async def replaced(
    redis: Redis,
    here: Installation,
    slug: str,
    rebuild: Callable[[str], Awaitable[Refolded | None]],
    shelves: Shelves,
) -> Replaced:
    """Put what the ledger of *slug* gives in place, by *rebuild*, and compare what is there then.

    Raises:
        RedisError: the engine refused or stayed silent.
        Busy: the article changes faster than it can be read.
    """
    keys = here.lanes.of(slug).article(slug)
    before = await read_kept(redis, keys)
    try:
        made = await rebuild(slug)
    except (LedgerError, DistrustedError) as error:
        return Replaced(0, [str(error)])
    after = await read_kept(redis, keys)
    if made is None or before is None or after is None or after.filed.seq > len(made.records):
        # It is written to meanwhile: what stands now is the fold of more.
        return Replaced(0, (await verify(redis, here.lanes, here.key, slug, shelves)).differences)
    expected = expected_of(made.article)
    was, left = (list(state_faults(expected, kept)) for kept in (before, after))
    beyond = [*ledger_faults(here.key, made.records, after), *await beside(redis, keys)]
    return Replaced(len(was) - len(left), [*beyond, *left])
