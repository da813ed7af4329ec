"""The article as ninjs 3.1: what the standard names, and no name beside it."""

from __future__ import annotations

from typing import Any

from shared.article.fold import replay
from shared.article.formats import ninjs
from tests.builders import SLUG, Envelope, corrected, ledger, posted, published, retracted

SITE = "https://news.example"
#: The names of the standard that are used here; it forbids any other.
OBJECT = {
    "uri", "type", "representationType", "standard", "version", "firstCreated", "versionCreated",
    "contentCreated", "pubStatus", "urgency", "edNote", "language", "descriptions", "bodies",
    "headlines", "subjects", "infoSources", "by", "slugline", "associations", "altIds",
    "digitalSourceType",
}  # fmt: skip
PARTS = {
    "standard": {"name", "version", "schema"},
    "descriptions": {"role", "contentType", "value"},
    "bodies": {"role", "contentType", "charCount", "wordCount", "value"},
    "headlines": {"role", "contentType", "value"},
    "subjects": {"name", "rel", "uri", "literal", "creator", "relevance", "confidence"},
    "infoSources": {"name", "role", "uri", "literal", "contactInfo"},
    "altIds": {"role", "value"},
    "digitalSourceType": {"name", "uri", "literal"},
}


def document(*events: Envelope) -> dict[str, Any]:
    return ninjs.document(replay(SLUG, ledger(*events)), SITE)


def everything() -> dict[str, Any]:
    return document(
        published(section="Port", tags=["bridge"], authors=["Ada Quay"], summary="It reopens."),
        posted("u1", "A machine counted [1].", provenance="automated", urgency=2, headline="Count",
               sources=[{"n": 1, "url": "https://port.example/1", "title": "The port"}]),
        corrected("u1", "A machine counted twice.", note="Twice, not once."),
        posted("u2", "It sank.", authors=["Ben Mole"]),
        retracted("u2", "Nothing sank."),
    )  # fmt: skip


def test_it_has_no_name_that_the_standard_has_not():
    whole = everything()
    for each in (whole, *whole["associations"]):
        assert each.keys() - {"name", "rel"} <= OBJECT
        for name, allowed in PARTS.items():
            parts = each.get(name, [])
            for part in parts if isinstance(parts, list) else [parts]:
                assert part.keys() <= allowed, name


def test_an_update_is_an_association_that_says_where_its_text_is_from():
    whole = everything()

    first = whole["associations"][0]
    assert first["uri"] == f"{whole['uri']}/u1"
    assert first["digitalSourceType"]["uri"].endswith("/trainedAlgorithmicMedia")
    assert (first["pubStatus"], first["urgency"]) == ("usable", 2)
    assert first["edNote"] == "Twice, not once."
    assert first["infoSources"] == [
        {"name": "The port", "role": "1", "uri": "https://port.example/1"}
    ]


def test_a_retracted_update_is_canceled_and_has_nothing_but_the_note():
    gone = everything()["associations"][1]

    assert (gone["pubStatus"], gone["edNote"]) == ("canceled", "Nothing sank.")
    assert not {"bodies", "headlines", "by", "digitalSourceType"} & gone.keys()


def test_its_version_is_the_article_s_as_text():
    whole = everything()
    assert (whole["version"], whole["altIds"][0]["role"]) == ("5", "chain")
    assert whole["versionCreated"] >= whole["firstCreated"]
