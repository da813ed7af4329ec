"""The sitemap for news search: articles of the last two days, as Google News reads it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.article.article import Head
from shared.article.dates import rfc3339
from shared.article.formats.feeds import host
from shared.article.formats.xml import element, root

#: What a news sitemap may hold.
AGE = timedelta(hours=48)
LIMIT = 1_000
_SPACES = {
    "xmlns": "http://www.sitemaps.org/schemas/sitemap/0.9",
    "xmlns:news": "http://www.google.com/schemas/sitemap-news/0.9",
}
_TRADITIONAL = {"Hant", "TW", "HK", "MO"}


def document(heads: Iterable[Head], moment: datetime, public_url: str) -> str:
    """Return the sitemap at *moment* of those of *heads* that were published in the 48 h before.

    An article that was published earlier is left out, though it is updated still: the date that
    counts is the first.
    """
    since = moment - AGE
    shown = [head for head in heads if head.published_at and head.published_at >= since][:LIMIT]
    return root("urlset", _SPACES, *(_url(head, public_url) for head in shown))


def _url(head: Head, public_url: str) -> str:
    publication = element(
        "news:publication",
        element("news:name", host(public_url)),
        element("news:language", _language(head.locale)),
    )
    published, updated = head.published_at, head.updated_at
    news = element(
        "news:news",
        publication,
        *([element("news:publication_date", rfc3339(published))] if published else []),
        element("news:title", head.headline),
    )
    return element(
        "url",
        element("loc", f"{public_url}/articles/{head.slug}"),
        *([element("lastmod", rfc3339(updated))] if updated else []),
        news,
    )


def _language(locale: str) -> str:
    """Return the language as it is asked for: without a region, but for Chinese."""
    language, *rest = locale.split("-")
    if language != "zh":
        return language
    return "zh-tw" if _TRADITIONAL & set(rest) else "zh-cn"
