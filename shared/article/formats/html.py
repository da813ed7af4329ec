"""The HTML pages: complete without JavaScript, with no script or style of their own inside.

What publishers wrote reaches a page in two ways only: as text, escaped by Jinja, or as `html`
that `shared.article.markdown` has let through nh3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from babel.core import Locale
from markupsafe import Markup

from shared.article.article import PAGE_SIZE, Body, Head, Update
from shared.article.dates import cadence, date, date_time, rfc3339
from shared.article.editing import LISTED, PROVENANCES, corrections, gist, key_events
from shared.article.formats.citations import (
    body_sources,
    cited_blocks,
    cited_copy,
    listed_sources,
)
from shared.article.formats.dressing import TEMPLATES
from shared.article.formats.structured import live_blog
from shared.article.order import displayed
from shared.article.punctual import overdue_after

#: A link to another of our pages; in copy, a bracket is never one.
_OURS = re.compile(r'(<a (?:[^<>]*? )?href=")/(?!/)')
#: More earlier pages than this are not all named.
_PAGES_NAMED = 7


@dataclass(frozen=True, slots=True)
class _Moment:
    """A time as an article shows it: *stamp* for machines, *shown* for people."""

    stamp: str
    shown: str


def moment(when: datetime, head: Head) -> _Moment:
    """Return *when* as the article of *head* shows it."""
    return _Moment(rfc3339(when), date_time(when, head.timezone, head.locale))


def _published(head: Head) -> _Moment | None:
    if head.published_at is None:
        return None
    shown = date(head.published_at, head.timezone, head.locale)
    return _Moment(rfc3339(head.published_at), shown)


def _link(update: Update, head: Head) -> str:
    """Return where *update* is from the article's page: on it, or by its permalink."""
    if update.number > head.posted - PAGE_SIZE or update.update_id == head.pinned:
        return f"#u-{update.update_id}"
    return f"/articles/{head.slug}/updates/{update.update_id}"


def _direction(locale: str) -> str:
    """Return which way *locale* is written: ``ltr`` or ``rtl``."""
    return Locale.parse(locale, sep="-").text_direction


TEMPLATES.filters |= {
    "safe_html": Markup,
    "moment": moment,
    "cadence": cadence,
    "overdue_after": overdue_after,
    "direction": _direction,
    "cited_copy": cited_copy,
    "listed_sources": listed_sources,
    "gist": gist,
    "link": _link,
}
TEMPLATES.globals |= {"published": _published, "provenances": PROVENANCES}


def article_page(
    head: Head,
    body: Body,
    updates: Sequence[Update],
    latest: Sequence[Head] = (),
    *,
    marked: Sequence[Update] = (),
    public_url: str = "",
) -> str:
    """Return an article's page.

    *updates* are its newest fifty, oldest first, and the pinned one if that is older; *latest*
    are the heads under Latest News, newest first. *marked* are the updates that its lists are
    made of (`shared.article.editing`), wherever they stand; more does no harm.
    """
    every = {update.update_id: update for update in (*marked, *updates)}.values()
    oldest_first = sorted(updates, key=lambda each: each.number)
    listed = corrections(every)[:LISTED]
    return TEMPLATES.get_template("article.html").render(
        head=head,
        body_blocks=cited_blocks(body, body_sources(updates)),
        key_events=key_events(head, every),
        updates=displayed(head, updates),
        corrections=listed,
        latest=latest,
        earlier=_earlier(head),
        canonical=canonical(head, public_url),
        data=live_blog(head, body, oldest_first, listed, public_url=public_url),
    )


def fragment(
    head: Head,
    body: Body,
    updates: Sequence[Update],
    *,
    marked: Sequence[Update] = (),
    public_url: str = "",
) -> str:
    """Return an article for other pages to show, as `article_page` has it, without a page's rest.

    Its links begin with *public_url*, as they stand on another site.
    """
    every = {update.update_id: update for update in (*marked, *updates)}.values()
    made = TEMPLATES.get_template("fragment.html").render(
        head=head,
        body_blocks=cited_blocks(body, body_sources(updates)),
        key_events=key_events(head, every),
        updates=displayed(head, updates),
        corrections=corrections(every)[:LISTED],
        earlier=_earlier(head),
    )
    return _OURS.sub(rf"\g<1>{public_url}/", made)


def killed_fragment(head: Head) -> str:
    """Return what stands in a killed article's place on another site's page."""
    return TEMPLATES.get_template("withdrawn.html").render(head=head)


def updates_page(
    head: Head, number: int, updates: Sequence[Update], *, public_url: str = ""
) -> str:
    """Return page *number* of an article's updates; *updates* are its, oldest first."""
    return TEMPLATES.get_template("updates.html").render(
        head=head,
        number=number,
        updates=displayed(head, updates, pinned_first=False),
        canonical=f"{public_url}/articles/{head.slug}/pages/{number}",
    )


def corrections_page(head: Head, updates: Iterable[Update], *, public_url: str = "") -> str:
    """Return the list of an article's corrections; *updates* are those with notes, at least."""
    return TEMPLATES.get_template("corrections.html").render(
        head=head,
        corrections=corrections(updates),
        canonical=f"{public_url}/articles/{head.slug}/corrections",
    )


def latest_page(heads: Sequence[Head], *, page: int, pages: int, public_url: str = "") -> str:
    """Return page *page* of *pages* of Latest News."""
    canonical = f"{public_url}/" if page == 1 else f"{public_url}/?page={page}"
    return TEMPLATES.get_template("latest.html").render(
        latest=heads, page=page, pages=pages, canonical=canonical
    )


def rendered(template: str, head: Head, **facts: object) -> str:
    """Return *template*, a page about the article of *head*, with *facts* for its variables."""
    return TEMPLATES.get_template(template).render(head=head, **facts)


def killed_page(head: Head) -> str:
    """Return what stands in a killed article's place: when and why, nothing else."""
    return TEMPLATES.get_template("killed.html").render(head=head)


def error_page(status: int, title: str, detail: str) -> str:
    """Return a page for an error, in the design of the others."""
    return TEMPLATES.get_template("error.html").render(status=status, title=title, detail=detail)


def _earlier(head: Head) -> Sequence[int]:
    """Return the pages that hold what the article's page does not; of many, those at both ends."""
    pages = range(1, -(-max(0, head.posted - PAGE_SIZE) // PAGE_SIZE) + 1)
    if len(pages) <= _PAGES_NAMED:
        return pages
    return [*pages[:2], *pages[2 - _PAGES_NAMED :]]


def canonical(head: Head, public_url: str) -> str:
    """Return where the article of *head* says that it is at home."""
    return head.canonical_url or f"{public_url}/articles/{head.slug}"
