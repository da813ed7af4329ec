"""Each kind of fault once, on one of the links; `python -m tests.chaos.network` does all on all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.faultproxy import KINDS
from tests.chaos.network import LINKS, Newsroom, newsroom

PLACES = {
    "delay": "ingest",
    "jitter": "reader",
    "bandwidth": "deliver",
    "cut": "render",
    "half-open": "ingest",
    "reset": "publisher",
    "black hole": "deliver",
    "slow close": "reader",
    "partial write": "publisher",
    "duplicate": "render",
}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:
    with newsroom(tmp_path_factory.mktemp("lines")) as made:
        yield made


@pytest.mark.chaos
@pytest.mark.parametrize(("kind", "link"), PLACES.items())
def test_a_line_that_fails_loses_nothing_and_holds_nobody_up(room: Newsroom, kind, link):
    outcome = room.suffer(link, kind)

    assert outcome.hits


def test_every_kind_has_its_place_and_every_link_two_of_them():
    assert set(PLACES) == set(KINDS)
    assert sorted(PLACES.values()) == sorted(LINKS * 2)
