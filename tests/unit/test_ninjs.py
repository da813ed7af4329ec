"""The article as ninjs 3.1: in the form of the standard, with no name beside its own."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from shared.article.fold import replay
from shared.article.formats import ninjs
from tests.builders import SLUG, Envelope, corrected, ledger, posted, published, retracted
from tests.golden.pages import article_of, ledgers

SITE = "https://news.example"
_TEXT, _INTEGER = {"type": "string"}, {"type": "integer"}
_TIME, _URI = {"type": "string", "format": "date-time"}, {"type": "string", "format": "uri"}


def _of(*required: str, **parts: Any) -> dict[str, Any]:
    """Return the form of an object with no names but these."""
    form = {"type": "object", "properties": parts, "additionalProperties": False}
    return form | ({"required": list(required)} if required else {})


def _all(form: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": form}


_SAYING = _all(_of("value", role=_TEXT, contentType=_TEXT, value=_TEXT))
_OBJECT = {
    "uri": _URI,
    "type": {"enum": ["text", "audio", "video", "picture", "graphic", "composite"]},
    "representationType": {"enum": ["full", "partial"]},
    "version": _TEXT,
    "firstCreated": _TIME,
    "versionCreated": _TIME,
    "contentCreated": _TIME,
    "embargoedUntil": _TIME,
    "pubStatus": {"enum": ["usable", "withheld", "canceled"]},
    "urgency": {"type": "integer", "minimum": 1, "maximum": 9},
    "edNote": _TEXT,
    "language": _TEXT,
    "descriptions": _SAYING,
    "headlines": _SAYING,
    "bodies": _all(_of("value", role=_TEXT, contentType=_TEXT, charCount=_INTEGER,
                       wordCount=_INTEGER, value=_TEXT)),
    "subjects": _all(_of(name=_TEXT, rel=_TEXT, uri=_URI, literal=_TEXT)),
    "infoSources": _all(_of(name=_TEXT, role=_TEXT, uri=_URI, literal=_TEXT)),
    "by": _TEXT,
    "slugline": _TEXT,
    "altIds": _all(_of(role=_TEXT, value=_TEXT)),
    "standard": _of(name=_TEXT, version=_TEXT, schema=_URI),
    "digitalSourceType": _of(name=_TEXT, uri=_URI, literal=_TEXT),
}  # fmt: skip
#: What IPTC's schema of 3.1 asks of the names that are used here. It forbids all others, and so
#: does this: what fits this fits that. The schema itself is in no package, and not in this folder.
FORM = _of(
    "uri", **_OBJECT, associations=_all(_of("uri", "name", **_OBJECT, name=_TEXT, rel=_TEXT))
)
_JUDGE = Draft202012Validator(FORM, validate_formats=True)


def faults(ninjs_object: dict[str, Any]) -> list[str]:
    """Return where it is out of form, as paths, with words."""
    found = _JUDGE.iter_errors(ninjs_object)
    return [f"{'/'.join(map(str, each.instance_path))}: {each.message}" for each in found]


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


def test_it_is_in_the_form_of_the_standard():
    assert faults(everything()) == []


@pytest.mark.parametrize("path", ledgers(), ids=lambda path: path.stem)
def test_each_golden_article_is_in_the_form_of_the_standard(path):
    shown = article_of(path)
    if shown.head.status != "killed":
        assert faults(ninjs.document(shown, SITE)) == []


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
    ],
)
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
    assert not {"bodies", "headlines", "by", "digitalSourceType"} & gone.keys()


def test_its_version_is_the_article_s_as_text():
    whole = everything()
    assert (whole["version"], whole["altIds"][0]["role"]) == ("5", "chain")
    assert whole["versionCreated"] >= whole["firstCreated"]
