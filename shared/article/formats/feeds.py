"""What a feed says, before it is written as Atom, JSON Feed or RSS: of an article, of Latest News.

An article's feed has its newest fifty updates, the newest first whatever the page's order. An item
keeps its id as long as the installation keeps its host and the article its opening, so a reader of
feeds knows a corrected update again. *updated* moves with posts, corrections and retractions, not
with silent edits; those have validators. A retracted update stays an item that says so, for most
readers keep what a feed once said until the same id says something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from markupsafe import Markup

from shared.article.article import Article, Head, Note, Update, newest_numbers
from shared.article.editing import gist
from shared.article.formats.dressing import TEMPLATES
from shared.article.formats.html import canonical
from shared.contract.acts import Image

#: What links begin with where nobody says where readers are.
NOWHERE = "http://127.0.0.1:8080"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Item:
    """One update, or one article in Latest News. *html* is safe; *retraction* says it is gone."""

    id: str
    url: str
    title: str
    published: datetime
    updated: datetime
    language: str
    summary: str | None = None
    html: str | None = None
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    image: str | None = None
    retraction: Note | None = None
    update: Update | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """*path* is the page's on our host, and with an ending the feed's; *query* goes after that.

    *following* is the query of the next page, if there is one. *head* is the article's, if the
    feed is of one.
    """

    id: str
    path: str
    url: str
    title: str
    updated: datetime
    items: tuple[Item, ...]
    public_url: str
    subtitle: str | None = None
    language: str | None = None
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    query: str = ""
    following: str | None = None
    head: Head | None = None

    def address(self, ending: str) -> str:
        """Return the feed's own address, as the format of *ending*."""
        return f"{self.public_url}{self.path}.{ending}{self.query}"

    def next_address(self, ending: str) -> str | None:
        """Return that of the next page; None for the last."""
        if self.following is None:
            return None
        return f"{self.public_url}{self.path}.{ending}{self.following}"

    @property
    def site(self) -> str:
        """The host that readers know us by."""
        return host(self.public_url)


def host(public_url: str) -> str:
    """Return the host of *public_url*, without its port."""
    return urlsplit(public_url).hostname or "localhost"


def of_article(article: Article, public_url: str, path: str | None = None) -> Feed:
    """Return the feed of *article*, of which the newest fifty updates are enough.

    *path* is the page's, where that isn't the article's own. Raises ValueError for an article
    that was never opened.
    """
    head = article.head
    numbers = newest_numbers(head)
    shown = [each for each in article.updates.values() if each.number in numbers]
    newest = sorted(shown, key=lambda each: each.number, reverse=True)
    return Feed(
        id=article_id(head, public_url),
        path=path or f"/articles/{head.slug}",
        url=canonical(head, public_url),
        title=head.headline,
        updated=_updated(head),
        items=tuple(_update(each, head, public_url) for each in newest),
        public_url=public_url,
        subtitle=head.summary,
        language=head.locale,
        authors=head.authors,
        tags=tags(head),
        head=head,
    )


def of_latest(heads: Sequence[Head], page: int, pages: int, public_url: str) -> Feed:
    """Return the feed of page *page* of *pages* of Latest News, which has *heads*."""
    return Feed(
        id=f"{public_url}/",
        path="/latest",
        url=f"{public_url}/",
        title="Latest News",
        updated=max(map(_updated, heads), default=_NEVER),
        items=tuple(_article(head, public_url) for head in heads),
        public_url=public_url,
        query=_query(page),
        following=_query(page + 1) if page < pages else None,
    )


def _query(page: int) -> str:
    return f"?page={page}" if page > 1 else ""


def _article(head: Head, public_url: str) -> Item:
    updated = _updated(head)
    return Item(
        id=article_id(head, public_url),
        url=canonical(head, public_url),
        title=head.headline,
        published=head.published_at or updated,
        updated=updated,
        language=head.locale,
        summary=head.summary or head.headline,
        authors=head.authors,
        tags=tags(head),
        image=head.image.url if isinstance(head.image, Image) else head.image,
    )


def _update(update: Update, head: Head, public_url: str) -> Item:
    return Item(
        id=f"{article_id(head, public_url)}/{update.update_id}",
        url=f"{public_url}/articles/{head.slug}/updates/{update.update_id}",
        title="Retracted" if update.retracted else gist(update) or head.headline,
        published=update.time,
        updated=max((update.time, *(note.time for note in update.notes))),
        language=head.locale,
        html=content(update, head),
        authors=() if update.retracted else update.authors,
        tags=("Key event",) if update.key_event and not update.retracted else (),
        image=next((image.url for image in update.images), None),
        retraction=update.notes[-1] if update.retracted else None,
        update=update,
    )


def content(update: Update, head: Head) -> Markup:
    """Return *update* as HTML that stands alone: copy, pictures, notes, provenance, sources."""
    page = TEMPLATES.get_template("item.html").render(update=update, head=head)
    return Markup(page.strip())  # noqa: S704 -- made by a template that escapes


def tags(head: Head) -> tuple[str, ...]:
    """Return section and tags, each once."""
    return tuple(dict.fromkeys(filter(None, (head.section, *head.tags))))


def _updated(head: Head) -> datetime:
    if head.updated_at is None:
        raise ValueError(f"{head.slug} was never opened, so it has no feed")
    return head.updated_at


def article_id(head: Head, public_url: str) -> str:
    """Return a ``tag:`` URI (RFC 4151): host and day of opening say whose slug it is."""
    opened = head.opened_at or _updated(head)
    return f"tag:{host(public_url)},{opened.astimezone(UTC):%Y-%m-%d}:{head.slug}"


def named(names: Iterable[str], feed: Feed) -> list[str]:
    """Return *names*, or where there are none the feed's, or who runs the site."""
    return list(names) or list(feed.authors) or [feed.site]
