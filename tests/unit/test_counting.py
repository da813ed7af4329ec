"""Which sources have a name in the figures: publishers give them, so there must be an end."""

from __future__ import annotations

from services.ingest.counting import LONGEST_SOURCE, OTHER, Sources
from shared.contract.receipts import Receipt


def of(source: str | None, status: str = "accepted") -> Receipt:
    return Receipt(status=status, source=source)


def test_the_first_sources_that_file_have_names_and_the_others_share_one() -> None:
    sources = Sources(most=2)

    named = [sources.name(of(source)) for source in ("/cms", "/wire", "/late", "/cms")]

    assert named == ["/cms", "/wire", OTHER, "/cms"]


def test_who_may_not_file_takes_no_place() -> None:
    sources = Sources(most=1)

    assert sources.name(of("/stranger", "rejected")) == OTHER
    assert sources.name(of("/cms", "duplicate")) == "/cms"
    assert sources.name(of("/cms", "rejected")) == "/cms"


def test_what_can_be_no_label_is_not_one() -> None:
    sources = Sources()

    assert sources.name(of(None)) == OTHER
    assert sources.name(of("/" + "x" * LONGEST_SOURCE)) == OTHER
