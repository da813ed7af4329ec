"""JSON-LD against schema.org: each type and property exists, with that domain and that range.

The table has the facts of the terms that are used here, as schema.org states them; they were
compared with the vocabulary as schema-dts 2.1.0 carries it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from shared.article.formats import html
from tests.builders import article, corrected, posted, published, retracted
from tests.golden.pages import article_of, ledgers

#: Type → what it is a kind of.
TYPES = {
    "LiveBlogPosting": "BlogPosting",
    "BlogPosting": "SocialMediaPosting",
    "SocialMediaPosting": "Article",
    "Article": "CreativeWork",
    "CorrectionComment": "Comment",
    "Comment": "CreativeWork",
    "ImageObject": "MediaObject",
    "MediaObject": "CreativeWork",
    "CreativeWork": "Thing",
    "Person": "Thing",
    "Thing": "",
}
#: Property → the types that have it, and what it holds.
PROPERTIES = {
    "articleBody": ("Article", {"Text"}),
    "articleSection": ("Article", {"Text"}),
    "author": ("CreativeWork", {"Organization", "Person"}),
    "caption": ("ImageObject", {"MediaObject", "Text"}),
    "citation": ("CreativeWork", {"CreativeWork", "Text"}),
    "correction": ("CreativeWork", {"CorrectionComment", "Text", "URL"}),
    "coverageEndTime": ("LiveBlogPosting", {"DateTime"}),
    "coverageStartTime": ("LiveBlogPosting", {"DateTime"}),
    "creditText": ("CreativeWork", {"Text"}),
    "dateModified": ("CreativeWork", {"Date", "DateTime"}),
    "datePublished": ("CreativeWork", {"Date", "DateTime"}),
    "description": ("Thing", {"Text", "TextObject"}),
    "digitalSourceType": ("CreativeWork", {"IPTCDigitalSourceEnumeration"}),
    "headline": ("CreativeWork", {"Text"}),
    "image": ("Thing", {"ImageObject", "URL"}),
    "inLanguage": ("CreativeWork", {"Language", "Text"}),
    "keywords": ("CreativeWork", {"DefinedTerm", "Text", "URL"}),
    "liveBlogUpdate": ("LiveBlogPosting", {"BlogPosting"}),
    "mainEntityOfPage": ("Thing", {"CreativeWork", "URL"}),
    "name": ("Thing", {"Text"}),
    "text": ("CreativeWork", {"Text"}),
    "url": ("Thing", {"URL"}),
    "version": ("CreativeWork", {"Number", "Text"}),
}
ENUMERATED = {
    "https://schema.org/TrainedAlgorithmicMediaDigitalSource": "IPTCDigitalSourceEnumeration",
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_URL = re.compile(r"https?://[^\s<>\"]+")
SITE = "https://news.example"


def faults(document: dict[str, Any]) -> list[str]:
    """Return what schema.org doesn't know, or knows otherwise."""
    context = [] if document.get("@context") == "https://schema.org" else ["another vocabulary"]
    return [*context, *_node({k: v for k, v in document.items() if k != "@context"})]


def _node(node: dict[str, Any]) -> Iterator[str]:
    kind = node.get("@type", "")
    if kind not in TYPES:
        yield f"there is no type {kind}"
        return
    for name, value in node.items():
        if name.startswith("@"):
            continue
        if name not in PROPERTIES or PROPERTIES[name][0] not in _ancestry(kind):
            yield f"{kind} has no {name}"
            continue
        for each in value if isinstance(value, list) else [value]:
            if not _kinds(each) & PROPERTIES[name][1]:
                yield f"{kind}'s {name} is no {each!r}"
            if isinstance(each, dict):
                yield from _node(each)


def _ancestry(kind: str) -> list[str]:
    return [kind, *_ancestry(TYPES[kind])] if kind else []


def _kinds(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(_ancestry(value["@type"])) if value.get("@type") in TYPES else set()
    if isinstance(value, int) and not isinstance(value, bool):
        return {"Number"}
    if not isinstance(value, str):
        return set()
    found = {"Text", ENUMERATED.get(value, "Text")}
    return (
        found
        | ({"DateTime"} if _TIME.fullmatch(value) else set())
        | ({"URL"} if _URL.fullmatch(value) else set())
    )


def data_of(shown: Any) -> dict[str, Any]:
    updates = tuple(shown.updates.values())
    page = html.article_page(shown.head, shown.body, updates, marked=updates, public_url=SITE)
    found = re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found
    document: dict[str, Any] = orjson.loads(found[1])
    return document


def everything() -> dict[str, Any]:
    image = {"url": "https://e.example/i.png", "alt": "A bridge", "credit": "P. Lind"}
    source = {"n": 8, "url": "https://e.example/8", "title": "Port"}
    return data_of(
        article(
            published("Bridge", "Open [8].", authors=["Ada"], summary="S.", section="City",
                      tags=["a", "b"], image=image, canonical_url="https://e.example/b"),
            posted("u1", "A.\n\nB [8].", sources=[source], images=[image], authors=["Bo"]),
            posted("u2", "C.", provenance="automated"), posted("u3", "D.", provenance="wire"),
            corrected("u1", "E [8]."), posted("u4"), retracted("u4"),
        )
    )  # fmt: skip


def test_all_that_a_page_says_is_of_the_vocabulary():
    assert faults(everything()) == []


@pytest.mark.parametrize("ledger", ledgers(), ids=lambda path: path.stem)
def test_what_the_page_of_each_golden_ledger_says_is_of_the_vocabulary(ledger):
    shown = article_of(ledger)
    if shown.head.status != "killed":
        assert faults(data_of(shown)) == []


def test_every_term_of_the_table_is_used():
    used: set[str] = {"coverageEndTime"}

    def look(value: Any) -> None:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                used.update(each)
                for part in each.values():
                    look(part)

    look(everything())
    assert {name for name in used if not name.startswith("@")} == set(PROPERTIES)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"@context": "https://schema.example"}, "another vocabulary"),
        ({"@type": "LiveBlog"}, "no type LiveBlog"),
        ({"articleText": "a"}, "has no articleText"),
        ({"caption": "a"}, "LiveBlogPosting has no caption"),
        ({"articleBody": {"@type": "Text"}}, "articleBody is no"),
        ({"coverageStartTime": "2026-03-01 09:00"}, "coverageStartTime is no"),
        ({"url": "/articles/a"}, "url is no"),
        ({"liveBlogUpdate": [[{"@type": "BlogPosting"}]]}, "liveBlogUpdate is no"),
        ({"liveBlogUpdate": [{"@type": "BlogPosting", "coverageEndTime": "2026-03-01T09:00:00Z"}]},
         "BlogPosting has no coverageEndTime"),
        ({"author": "Ada"}, "author is no"),
        ({"author": [{"@type": "CorrectionComment"}]}, "author is no"),
        ({"version": True}, "version is no"),
    ],
)  # fmt: skip
def test_the_judge_finds_what_the_vocabulary_has_not(change, fault):
    assert any(fault in each for each in faults({**everything(), **change}))
