"""A whole article in each format but HTML, whose pages show parts: by its ending, one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.article.article import Article
from shared.article.formats import atom, json, jsonfeed, markdown, ninjs, rss, text
from shared.article.formats.feeds import Feed, of_article

#: A feed in each of its formats.
FEEDS: Mapping[str, Callable[[Feed], bytes]] = {
    "atom": lambda feed: atom.document(feed).encode(),
    "feed.json": lambda feed: json.dumps(jsonfeed.document(feed)),
    "rss": lambda feed: rss.document(feed).encode(),
}
_PAGES: Mapping[str, Callable[[Article], bytes]] = {
    "txt": lambda article: text.page(article).encode(),
    "md": lambda article: markdown.page(article).encode(),
    "json": lambda article: json.dumps(json.article(article)),
}


def written(article: Article, ending: str, public_url: str, path: str | None = None) -> bytes:
    """Return *article*, which isn't killed, as what ``.<ending>`` names.

    Links and identifiers begin with *public_url*; *path* is where the page is, if not in its
    usual place. Of a feed's updates the newest fifty are enough.
    """
    if ending in FEEDS:
        return FEEDS[ending](of_article(article, public_url, path))
    if ending == "ninjs.json":
        return json.dumps(ninjs.document(article, public_url))
    return _PAGES[ending](article)
