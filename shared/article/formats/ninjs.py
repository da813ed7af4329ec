"""ninjs 3.1, IPTC's news in JSON: the article as one news object, each update as one beside it.

The standard forbids properties of one's own. What it has no name for goes where its readers look:
corrections and retractions are notes to editors (`edNote`), a retracted update is `canceled`. A
picture is a news object, too, beside what it belongs to. `embargoedUntil` is never there: what is
under embargo is in no document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.article.article import Article, Head, Update
from shared.article.dates import rfc3339
from shared.article.editing import gist
from shared.article.formats.feeds import article_id, tags
from shared.article.formats.uris import uri
from shared.article.order import displayed
from shared.contract.acts import Image, Source

_STANDARD = {
    "name": "ninjs",
    "version": "3.1",
    "schema": "http://www.iptc.org/std/ninjs/ninjs-schema_3.1.json#",
}
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
#: As in JSON-LD: of what a program may have been, readers are told what asks for more care.
_DIGITAL_SOURCES: Mapping[str | None, Mapping[str, str]] = {
    "automated": {"uri": f"{_SOURCE_TYPES}trainedAlgorithmicMedia"},
}


def document(article: Article, public_url: str) -> dict[str, Any]:
    """Return *article*, which was opened and isn't killed, as one ninjs object."""
    head = article.head
    identity = article_id(head, public_url)
    updates = displayed(head, article.updates.values())
    facts = {
        "uri": identity,
        "type": "text",
        "representationType": "full",
        "standard": _STANDARD,
        "version": str(head.version),
        "firstCreated": _time(head.opened_at),
        "versionCreated": _time(head.updated_at),
        "contentCreated": _time(head.published_at),
        "pubStatus": "usable",
        "language": head.locale,
        "slugline": head.slug,
        "headlines": [{"value": head.headline}],
        "descriptions": [{"value": head.summary}] if head.summary else [],
        "bodies": _body("".join(block.html for block in article.body.blocks), head.body_words),
        "by": ", ".join(head.authors),
        "subjects": [{"name": name} for name in tags(head)],
        "edNote": head.note.note if head.note else None,
        "altIds": [{"role": "chain", "value": head.chain}],
        "associations": [
            *(_update(each, head, identity) for each in updates),
            *_pictures([head.image] if head.image else [], head, identity),
        ],
    }
    return _set(facts)


def _update(update: Update, head: Head, article: str) -> dict[str, Any]:
    identity = f"{article}/{update.update_id}"
    facts = {
        "name": update.update_id,
        "rel": "update",
        "uri": identity,
        "type": "text",
        "version": str(update.changed.version),
        "firstCreated": _time(update.time),
        "versionCreated": _time(max((update.time, *(note.time for note in update.notes)))),
        "pubStatus": "canceled" if update.retracted else "usable",
        "language": head.locale,
        "edNote": "\n".join(note.note for note in update.notes),
        **_copy(update),
        "associations": _pictures(update.images, head, identity),
    }
    return _set(facts)


def _copy(update: Update) -> dict[str, Any]:
    """Return what a retraction takes away."""
    if update.copy is None:
        return {}
    return {
        "urgency": update.urgency,
        "headlines": [{"value": gist(update)}] if gist(update) else [],
        "bodies": _body(update.copy.html, update.copy.words),
        "by": ", ".join(update.authors),
        "infoSources": [_source(each) for each in update.sources],
        "digitalSourceType": _DIGITAL_SOURCES.get(update.provenance),
    }


def _source(source: Source) -> dict[str, Any]:
    where = uri(source.url)
    named = {"uri": where} if where else {"literal": source.url}
    return _set({"name": source.title, "role": str(source.n), **named})


def _pictures(images: Sequence[Image | str], head: Head, identity: str) -> list[dict[str, Any]]:
    """Return *images* of the object that *identity* names; an address that is none has no href."""
    return [_picture(each, n, head, f"{identity}/picture/{n}") for n, each in enumerate(images, 1)]


def _picture(image: Image | str, number: int, head: Head, identity: str) -> dict[str, Any]:
    said = image if isinstance(image, Image) else None
    address = uri(said.url if said else str(image))
    facts = {
        "name": f"Picture {number}",
        "rel": "picture",
        "uri": identity,
        "type": "picture",
        "language": head.locale,
        "descriptions": [{"role": "alt", "value": said.alt}] if said and said.alt else [],
        "by": said.credit if said else None,
        "renditions": [{"name": "original", "href": address}] if address else [],
    }
    return _set(facts)


def _body(html: str, words: int) -> list[dict[str, Any]]:
    return [{"contentType": "text/html", "wordCount": words, "value": html}]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _set(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, "", [])}
