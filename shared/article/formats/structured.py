"""An article as schema.org's `LiveBlogPosting`, in JSON-LD: what search engines read beside a page.

It says what the page shows and no more: its newest updates, whole; the corrections that it lists;
the sources that are cited. A retracted update is not there, but the note on it is among the
corrections. Times are UTC. `datePublished` and `coverageStartTime` don't move with updates, and
there is a `coverageEndTime` only once coverage has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from shared.article.article import Body, Head, Update
from shared.article.dates import rfc3339
from shared.article.editing import Correction, gist
from shared.article.formats.citations import body_numbers, sources_by_number
from shared.contract.acts import Image, Source

#: More would double the page, and what is older stands on pages of its own.
UPDATES = 20
#: As IPTC names it. A program may have written the text without having been trained to; of the
#: two, readers are told the one that asks for more care.
_DIGITAL_SOURCES: Mapping[str | None, str] = {
    "automated": "https://schema.org/TrainedAlgorithmicMediaDigitalSource"
}
_ENDS_A_SCRIPT = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"})


def live_blog(
    head: Head,
    body: Body,
    updates: Sequence[Update],
    corrections: Sequence[Correction],
    *,
    public_url: str,
) -> str:
    """Return the text of a `script` element; *updates* are the page's, oldest first."""
    address = f"{public_url}/articles/{head.slug}"
    shown = [update for update in updates if not update.retracted][-UPDATES:]
    cited = sources_by_number(updates)
    facts = {
        "@context": "https://schema.org",
        "@type": "LiveBlogPosting",
        "@id": address,
        "url": address,
        "mainEntityOfPage": head.canonical_url or address,
        "headline": head.headline,
        "description": head.summary,
        "inLanguage": head.locale,
        "articleSection": head.section,
        "keywords": list(head.tags),
        "image": _image(head.image),
        "author": _people(head.authors),
        "version": head.version,
        "datePublished": head.published_at and rfc3339(head.published_at),
        "dateModified": head.updated_at and rfc3339(head.updated_at),
        "coverageStartTime": head.opened_at and rfc3339(head.opened_at),
        "coverageEndTime": head.closed_at and rfc3339(head.closed_at),
        "correction": [_correction(each, address) for each in corrections],
        "citation": _works(cited[n] for n in sorted(body_numbers(body)) if n in cited),
        "liveBlogUpdate": [_update(each, address) for each in reversed(shown)],
    }
    return orjson.dumps(_set(facts)).decode().translate(_ENDS_A_SCRIPT)


def _update(update: Update, address: str) -> dict[str, Any]:
    corrections = [Correction(update, note) for note in update.notes]
    facts = {
        "@type": "BlogPosting",
        "@id": f"{address}/updates/{update.update_id}",
        "url": f"{address}#u-{update.update_id}",
        "headline": gist(update),
        "articleBody": update.copy and update.copy.text,
        "author": _people(update.authors),
        "image": [_image(image) for image in update.images],
        "datePublished": rfc3339(update.time),
        "dateModified": rfc3339(max(note.time for note in update.notes)) if update.notes else None,
        "correction": [_correction(each, address) for each in corrections],
        "citation": _works(update.sources),
        "creditText": "Wire copy" if update.provenance == "wire" else None,
        "digitalSourceType": _DIGITAL_SOURCES.get(update.provenance),
    }
    return _set(facts)


def _correction(each: Correction, address: str) -> dict[str, Any]:
    return {
        "@type": "CorrectionComment",
        "text": each.note.note,
        "datePublished": rfc3339(each.note.time),
        "url": f"{address}/updates/{each.update.update_id}",
    }


def _works(sources: Iterable[Source]) -> list[dict[str, Any]]:
    works = ({"@type": "CreativeWork", "name": each.title, "url": each.url} for each in sources)
    return [_set(work) for work in works]


def _people(names: Iterable[str]) -> list[dict[str, Any]]:
    return [{"@type": "Person", "name": name} for name in names]


def _image(image: Image | str | None) -> dict[str, Any] | str | None:
    if not isinstance(image, Image):
        return image
    facts = {"url": image.url, "caption": image.alt, "creditText": image.credit}
    return _set({"@type": "ImageObject", **facts})


def _set(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, "", [])}
