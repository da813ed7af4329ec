"""The formats that a page can be printed in."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What an article is printed as."""

    TEXT = "text"
    HTML = "html"
    JSON = "json"
    MARKDOWN = "md"
    ATOM = "atom"
    JSON_FEED = "feed.json"
    RSS = "rss"
    NINJS = "ninjs.json"

    @property
    def extension(self) -> str:
        """The ending of its address."""
        return "txt" if self is Format.TEXT else self.value
