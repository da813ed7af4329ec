"""ninjs 3.1, IPTC's news in JSON: the article as one news object, each update as one beside it.

The standard forbids properties of one's own. What it has no name for goes where its readers look:
corrections and retractions are notes to editors (`edNote`), a retracted update is `canceled`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.article.article import Article, Head, Update
from shared.article.dates import rfc3339
from shared.article.editing import gist
from shared.article.formats.feeds import article_id
from shared.article.order import displayed

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
        "subjects": [{"name": name} for name in filter(None, (head.section, *head.tags))],
        "edNote": head.note.note if head.note else None,
        "altIds": [{"role": "chain", "value": head.chain}],
        "associations": [_update(each, head, identity) for each in updates],
    }
    return _set(facts)


def _update(update: Update, head: Head, identity: str) -> dict[str, Any]:
    facts = {
        "name": update.update_id,
        "rel": "update",
        "uri": f"{identity}/{update.update_id}",
        "type": "text",
        "version": str(update.changed.version),
        "firstCreated": _time(update.time),
        "versionCreated": _time(max((update.time, *(note.time for note in update.notes)))),
        "pubStatus": "canceled" if update.retracted else "usable",
        "language": head.locale,
        "edNote": "\n".join(note.note for note in update.notes),
        **_copy(update),
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
        "infoSources": [
            _set({"name": each.title, "role": str(each.n), "uri": each.url})
            for each in update.sources
        ],
        "digitalSourceType": _DIGITAL_SOURCES.get(update.provenance),
    }


def _body(html: str, words: int) -> list[dict[str, Any]]:
    return [{"contentType": "text/html", "wordCount": words, "value": html}]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _set(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, "", [])}
