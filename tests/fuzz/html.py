"""What a browser makes of HTML that we let through, by a parser that has no part in making it.

Lexbor reads HTML as browsers do, with all that they repair and move; nh3, which cleans, is made of
another parser.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

TAGS = {
    "a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "a": frozenset({"href", "rel"}),
    "ol": frozenset({"start"}),
}
#: What a marker such as `[8]` becomes.
CITING = frozenset({"id", "class", "role", "href"})
SCHEMES = frozenset({"http", "https", "mailto"})
_BEFORE = '<!DOCTYPE html><html><head></head><body><main><div id="copy">'
_AFTER = '</div><p id="after"></p></main></body></html>'
_AROUND = ["html", "head", "body", "main", "div", "p"]
#: What browsers take off both ends of an address, and out of its middle.
_ENDS, _MIDDLE = "".join(map(chr, range(33))), str.maketrans("", "", "\t\n\r")


class Escaped(AssertionError):
    """Something is there that no copy may have; the message says what."""


def check_copy(html: str) -> None:
    """See that *html* stays in its element and has nothing but what is allowed. Raises Escaped."""
    tree = LexborHTMLParser(_BEFORE + html + _AFTER)
    *around, last = tree.root.traverse(include_text=True) if tree.root else []
    before, inside = around[:5], around[5:]
    if [node.tag for node in (*before, last)] != _AROUND or last.attributes != {"id": "after"}:
        raise Escaped("it stands outside its element")
    if len(list(before[-1].traverse(include_text=True))) != len(inside) + 1:
        raise Escaped("part of it stands outside its element")
    for node in inside:
        _check(node)


def _check(node: LexborNode) -> None:
    tag = str(node.tag)
    if tag == "-text":
        return
    if tag not in TAGS:
        raise Escaped(f"there is <{tag}>")
    attributes = node.attributes
    citing = tag == "a" and attributes.get("role") == "doc-noteref"
    allowed = CITING if citing else ATTRIBUTES.get(tag, frozenset())
    if more := attributes.keys() - allowed:
        raise Escaped(f"<{tag}> has {sorted(more)}")
    if "href" in attributes:
        _check_address(attributes["href"] or "", citing)


def _check_address(address: str, citing: bool) -> None:
    read = address.strip(_ENDS).translate(_MIDDLE)
    if not (citing and read.startswith("#s")) and urlsplit(read).scheme not in SCHEMES:
        raise Escaped(f"a link leads to {read[:20]}")
