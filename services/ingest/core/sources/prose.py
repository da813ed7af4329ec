"""HTML of others → Markdown that means the same here, and nothing else.

nh3 first, which leaves what a text is made of and makes addresses whole; then html-to-markdown,
which escapes whatever would be markup. Scripts, styles and forms are gone with what is in them.
"""

from __future__ import annotations

import re
from html import unescape

from html_to_markdown import ConversionOptions, convert
from nh3 import Cleaner, clean

#: Beyond what an event holds, nothing is read.
MAX_HTML = 1_000_000

_TAGS = {
    "a", "abbr", "b", "blockquote", "br", "code", "del", "div", "em", "figcaption", "figure", "h1",
    "h2", "h3", "h4", "h5", "h6", "hr", "i", "li", "ol", "p", "pre", "q", "s", "section", "span",
    "strike", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_GONE = {
    "script", "style", "template", "iframe", "object", "noscript", "svg", "math", "form", "select",
    "textarea", "button", "audio", "video", "title",
}  # fmt: skip
_OPTIONS = ConversionOptions(
    heading_style="atx",
    escape_asterisks=True,
    escape_underscores=True,
    escape_misc=True,
    skip_images=True,
    extract_metadata=False,
)
#: What no field of an event may hold, and what is no more than a trick of typesetting.
_NO_TEXT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u2060\ud800-\udfff\ufeff\ufffe\uffff]"
)
_SPACE = re.compile(r"\s+")
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|&(#\w+|\w+);")


def markdown(html: str, base: str) -> str:
    """Return *html* as Markdown; links are made whole by the address *base*."""
    cleaner = Cleaner(
        tags=_TAGS,
        clean_content_tags=_GONE,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        url_relative=("rewrite_with_base", base),
        link_rel=None,
    )
    said = convert(cleaner.clean(text(html[:MAX_HTML])), _OPTIONS).content or ""
    return text(said).strip()


def escaped(plain: str) -> str:
    """Return plain text as Markdown that shows it, a paragraph where it has a blank line."""
    paragraphs = re.split(r"\n\s*\n", plain)
    marked = "".join(f"<p>{_as_html(each)}</p>" for each in paragraphs if each.strip())
    return markdown(marked, "https://localhost/")


def headline(said: str) -> str:
    """Return *said*, plain or as HTML, as one line of plain text."""
    if _MARKUP.search(said):
        said = unescape(clean(text(said), tags=set(), clean_content_tags=_GONE))
    return _SPACE.sub(" ", text(said)).strip()[:500].rstrip()


def text(said: str) -> str:
    """Return *said* without what is no text."""
    return _NO_TEXT.sub("", said.replace("\r\n", "\n").replace("\r", "\n"))


def _as_html(plain: str) -> str:
    safe = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace("\n", "<br>")
