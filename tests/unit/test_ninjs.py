"""The article as ninjs 3.1: in the form of the standard, with no name beside its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.article.fold import replay
from shared.article.formats import ninjs
from shared.contract.copy_rules import ABSOLUTE
from tests.builders import (
    SLUG,
    Envelope,
    closed,
    corrected,
    event,
    ledger,
    posted,
    published,
    retracted,
    writethru,
)
from tests.golden.pages import article_of, ledgers
from tests.unit.ninjs_form import faults, judge_of

SITE = "https://news.example"


def document(*events: Envelope) -> dict[str, Any]:
    return ninjs.document(replay(SLUG, ledger(*events)), SITE)


def everything() -> dict[str, Any]:
    return document(
        published(section="Port", tags=["bridge", "Port"], authors=["Ada Quay"],
                  summary="It reopens.", image={"url": "https://img.example/ü.jpg", "alt": "It"}),
        posted("u1", "A machine counted [1].", provenance="automated", urgency=2, headline="Count",
               sources=[{"n": 1, "url": "https://port.example/1", "title": "The port"}]),
        corrected("u1", "A machine counted twice.", note="Twice, not once."),
        posted("u2", "It sank.", authors=["Ben Mole"],
               images=[{"url": "https://img.example/2.jpg", "alt": "A wreck"}]),
        retracted("u2", "Nothing sank."),
        posted("u3", "It floats.", embargo_until="2026-03-01T12:00:00.5+05:30", key_event=True,
               images=[{"url": "https://img.example/3.jpg", "alt": "A ship", "credit": "P. Lind"},
                       {"url": "https://img.example:x/4.jpg", "alt": "Nowhere"}],
               sources=[{"n": 8, "url": "https://port.example:x/"}]),
    )  # fmt: skip


def documents() -> dict[str, dict[str, Any]]:
    """Return each kind of article as ninjs, and the golden ones; a killed one has none."""
    shown = {path.stem: article_of(path) for path in ledgers()}
    return {
        "everything": everything(),
        "nothing": document(published(body="")),
        "closed": document(published(), posted("a"), closed(note="The end.")),
        "written through": document(published(), writethru(headline="Anew", note="Anew.")),
        "redacted": document(published(), posted("a"), event("update.redacted", update_id="a",
                                                             note="A court.")),
        **{name: ninjs.document(each, SITE) for name, each in shown.items()
           if each.head.status != "killed"},
    }  # fmt: skip


@pytest.mark.parametrize("name", documents())
def test_every_article_is_in_the_form_of_the_standard(name):
    assert faults(documents()[name]) == []


@pytest.mark.skipif(
    "NINJS_SCHEMA" not in os.environ,
    reason="IPTC's own schema is in no package: NINJS_SCHEMA names its file",
)
def test_every_article_is_in_the_form_of_the_schema_itself():
    judge = judge_of(orjson.loads(Path(os.environ["NINJS_SCHEMA"]).read_bytes()))

    assert {
        name: found for name, each in documents().items() if (found := faults(each, judge))
    } == {}
    assert faults({**everything(), "seq": 1}, judge)


@given(some.from_regex(ABSOLUTE, fullmatch=True))
def test_an_address_of_any_letters_is_a_uri_or_none(address):
    whole = document(
        published(image=address),
        posted("u1", sources=[{"n": 1, "url": address}], images=[{"url": address, "alt": "A"}]),
    )
    assert len(whole["associations"]) == 2
    assert faults(whole) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"seq": 1}, ": "),
        ({"uri": "no uri"}, "uri: "),
        ({"version": 5}, "version: "),
        ({"firstCreated": "today"}, "firstCreated: "),
        ({"pubStatus": "killed"}, "pubStatus: "),
        ({"urgency": 10}, "urgency: "),
        ({"bodies": [{"contentType": "text/html"}]}, "bodies/0: "),
        ({"associations": [{"uri": "tag:a,2026:b"}]}, "associations/0: "),
        ({"altIds": [{"role": "chain", "chain": "a"}]}, "altIds/0: "),
        ({"renditions": [{"href": "https://img.example/1"}]}, "renditions/0: "),
        ({"associations": [{"uri": "tag:a,2026:b", "name": "b", "associations": [{}]}]},
         "associations/0/associations/0: "),
    ],
)  # fmt: skip
def test_the_judge_finds_what_the_standard_forbids(change, where):
    assert any(each.startswith(where) for each in faults({**everything(), **change}))


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
    assert not {"bodies", "headlines", "by", "digitalSourceType", "associations"} & gone.keys()


def test_its_version_is_the_article_s_as_text():
    whole = everything()
    assert (whole["version"], whole["altIds"][0]["role"]) == ("6", "chain")
    assert whole["versionCreated"] >= whole["firstCreated"]


def test_a_picture_is_an_association_of_what_it_belongs_to():
    whole = everything()

    of_update, lost = whole["associations"][2]["associations"]
    assert (of_update["type"], of_update["rel"], of_update["by"]) == (
        *("picture", "picture", "P. Lind"),
    )
    assert of_update["uri"] == f"{whole['uri']}/u3/picture/1"
    assert of_update["descriptions"] == [{"role": "alt", "value": "A ship"}]
    assert of_update["renditions"] == [{"name": "original", "href": "https://img.example/3.jpg"}]
    assert "renditions" not in lost
    of_article = whole["associations"][3]
    assert of_article["uri"] == f"{whole['uri']}/picture/1"
    assert of_article["renditions"][0]["href"] == "https://img.example/%C3%BC.jpg"


def test_section_and_tags_are_subjects_each_once():
    assert everything()["subjects"] == [{"name": "Port"}, {"name": "bridge"}]
