"""A ledger's entries, read wherever they are."""

from __future__ import annotations

import pytest

from shared.article.stored import link_of
from shared.runtime.ledgers import Ledgers
from tests.builders import SLUG, posted, published
from tests.integration.newsroom import open_newsroom


@pytest.mark.parametrize(
    ("after", "to", "seqs"), [(0, 3, [1, 2, 3]), (1, 2, [2]), (2, 9, [3]), (3, 3, []), (5, 9, [])]
)
async def test_entries_are_read_by_their_seqs(redis, after, to, seqs):
    # given a ledger of three events
    newsroom = await open_newsroom(redis)
    await newsroom.file(published(), posted("u1"), posted("u2"))
    # when some of it is read
    found = await Ledgers(redis, newsroom.lanes).read(SLUG, after, to)
    # then it is those entries
    assert [link_of(record).seq for record in found] == seqs
