"""Folds that are kept: the nearest is found, and room for them is limited."""

from __future__ import annotations

from services.deliver.folds import Folds
from shared.article.article import Article
from shared.article.visible import TakenBack
from tests import builders
from tests.builders import SLUG, posted, published

NOTHING, ONE = TakenBack(), TakenBack(retracted=frozenset({"u1"}))


def version(number: int) -> Article:
    return builders.article(published(), *(posted(f"u{n}") for n in range(1, number)))


def test_the_nearest_version_that_is_not_beyond_is_found() -> None:
    folds = Folds()
    for number in (2, 5, 9):
        folds.keep(NOTHING, version(number), 0)

    found = [folds.nearest(SLUG, NOTHING, number).head.version for number in (1, 2, 4, 5, 8, 30)]

    assert found == [0, 2, 2, 5, 5, 9]
    assert folds.nearest("another", NOTHING, 9).head.version == 0


def test_what_was_folded_with_less_taken_back_is_not_used_and_is_forgotten() -> None:
    folds = Folds()
    folds.keep(NOTHING, version(5), 0)
    assert folds.nearest(SLUG, ONE, 9).head.version == 0

    folds.forget(SLUG, but=ONE)

    assert folds.size == 0
    assert folds.nearest(SLUG, NOTHING, 9).head.version == 0


def test_the_one_that_was_used_longest_ago_makes_room() -> None:
    folds = Folds(limit=20_000)
    for number in (1, 2, 3):
        folds.keep(NOTHING, version(number), 0)
    folds.nearest(SLUG, NOTHING, 1)

    folds.keep(NOTHING, version(6), 0)

    assert folds.size <= 20_000
    assert folds.nearest(SLUG, NOTHING, 1).head.version == 1
    assert folds.nearest(SLUG, NOTHING, 2).head.version == 1
