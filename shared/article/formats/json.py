"""The article as JSON: the shapes that readers' programs and subscribers rely on.

Optional facts appear when they are set, after the ones that are always there; an image is as it
was filed, an address or an object. Times are RFC 3339 in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from shared.article import article as model
from shared.article.dates import rfc3339
from shared.article.editing import Correction
from shared.article.editing import corrections as corrections_of
from shared.article.order import displayed
from shared.contract.acts import Image, Source


def article(article: model.Article) -> dict[str, Any]:
    """Return the whole article, its updates as the page orders them; a killed one is `killed`."""
    if article.head.status == "killed":
        return killed(article.head)
    return {
        **head(article.head),
        "body": body(article.body),
        "updates": [update(each) for each in displayed(article.head, article.updates.values())],
    }


def head(head: model.Head) -> dict[str, Any]:
    """Return the article's facts without body and updates; a killed one is `killed`.

    *note* is the last that an editor gave with a writethru, a close or a reopening;
    *update_order* is there when it is not oldest-first.
    """
    if head.status == "killed":
        return killed(head)
    facts = {
        "article": head.slug,
        "version": head.version,
        "chain": head.chain,
        "status": head.status,
        "headline": head.headline,
        "published_at": head.published_at and rfc3339(head.published_at),
        "updated_at": head.updated_at and rfc3339(head.updated_at),
        "update_count": head.update_count,
        "reading_minutes": head.reading_minutes,
        "cadence_seconds": head.cadence_seconds,
        "timezone": head.timezone,
        "locale": head.locale,
        "pinned": head.pinned,
    }
    return facts | _set(
        summary=head.summary,
        authors=list(head.authors),
        section=head.section,
        tags=list(head.tags),
        image=_image(head.image) if isinstance(head.image, Image) else head.image,
        canonical_url=head.canonical_url,
        update_order=head.update_order if head.update_order != "oldest-first" else None,
        note=note(head.note) if head.note else None,
    )


def killed(head: model.Head) -> dict[str, Any]:
    """Return all that may be said of a killed article: that, when and why."""
    note = head.withdrawal
    return {
        "article": head.slug,
        "status": "killed",
        "time": rfc3339(note.time),
        "note": note.note,
    }


def body(body: model.Body) -> list[dict[str, Any]]:
    """Return the blocks; a heading has a *level*, a long paragraph a *teaser*."""
    return [_block(block) for block in body.blocks]


def _block(block: model.Block) -> dict[str, Any]:
    if block.kind == "heading":
        return {"kind": "heading", "level": block.level, "text": block.text}
    teaser = _set(teaser=block.teaser)
    return {"kind": block.kind} | teaser | {"text": block.text, "html": block.html}


def update(update: model.Update) -> dict[str, Any]:
    """Return one update; *version* is the one at which it last changed.

    A retracted one has no *text* and no *html*, and of the rest only what says that it was
    here and why it went.
    """
    copy = update.copy
    facts = {
        "update_id": update.update_id,
        "version": update.changed.version,
        "time": rfc3339(update.time),
        **({"text": copy.text, "html": copy.html} if copy else {}),
        "status": "live" if copy else "retracted",
        "notes": [note(each) for each in update.notes],
        "key_event": update.key_event,
        "sources": [_source(source) for source in update.sources],
    }
    return facts | _set(
        headline=update.headline,
        authors=list(update.authors),
        images=[_image(image) for image in update.images],
        urgency=update.urgency,
        provenance=update.provenance,
    )


def corrections(
    head: model.Head, updates: Iterable[model.Update], *, public_url: str
) -> dict[str, Any]:
    """Return all corrections and retractions, the newest first; a killed article is `killed`.

    *updates* are those with notes, at least. *url* is the permalink of the update.
    """
    if head.status == "killed":
        return killed(head)
    return {
        "article": head.slug,
        "version": head.version,
        "chain": head.chain,
        "corrections": [
            _correction(each, f"{public_url}/articles/{head.slug}/updates/")
            for each in corrections_of(updates)
        ],
    }


def _correction(each: Correction, updates_url: str) -> dict[str, Any]:
    update_id = each.update.update_id
    url = f"{updates_url}{update_id}"
    return {"update_id": update_id, **note(each.note), "url": url}


def dumps(value: object) -> bytes:
    """Return *value* as JSON in UTF-8, the same bytes for the same value."""
    return orjson.dumps(value)


def _set(**facts: object) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None and value != []}


def note(note: model.Note) -> dict[str, Any]:
    return {"kind": note.kind, "time": rfc3339(note.time), "note": note.note}


def _source(source: Source) -> dict[str, Any]:
    return {"n": source.n, "url": source.url} | _set(title=source.title)


def _image(image: Image) -> dict[str, Any]:
    return {"url": image.url, "alt": image.alt} | _set(credit=image.credit)
