"""Markdown: what a text reads as, as blocks of plain text and safe HTML.

CommonMark with tables and strikethrough. Raw HTML is text. Links go to http, https and mailto
and nowhere else: another link, a relative one too, is its text alone. An image is its alt text,
because an update's pictures are facts of their own (`images`). Total: every string has a result,
in time that grows with its length, and nh3 is the last gate before HTML leaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock, blockquote
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from nh3 import Cleaner

from shared.article.article import Block, Copy
from shared.article.normal import nfc, normal
from shared.article.prose import is_plain, paragraphs

TEASER_CHARS = 60
#: Quotes and lists inside one another, beyond which there is no meaning, only work.
MAX_NESTING = 20
#: Lines that the parser may look through for the ends of quotes. It looks ahead to the next blank
#: line for each, so a quote on every other line would else cost the square of their number.
MAX_QUOTE_LINES = 100_000
#: Characters of link addresses in one text. A definition that is used 10,000 times would else
#: make 200 MB of 100 KB.
MAX_LINK_CHARS = 500_000


@dataclass(frozen=True, slots=True)
class Fence:
    """Fenced code: its *lines*, marks and all, counted from 0; *lacking* is what would close it."""

    lines: range
    lacking: str | None


#: Few texts have a line that begins like this, and only they are worth parsing for it.
_MAY_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)
_LINK = re.compile(r"https?://[^/]|mailto:.", re.IGNORECASE)
#: HTML's white space and Unicode's line breaks, but not the spaces meant to hold words together.
_WHITE_SPACE = re.compile("[ \t\n\r\f\u2028\u2029]+")


def blocks(source: str) -> tuple[Block, ...]:
    """Return the top-level blocks of *source*; one that shows nothing is left out."""
    return _blocks(normal(source))


def _blocks(text: str) -> tuple[Block, ...]:
    prose = paragraphs(text)
    found = _parsed(text) if prose is None else map(_paragraph, prose)
    return tuple(block for block in found if block.text)


def _parsed(text: str) -> Iterator[Block]:
    lines = text.split("\n")
    return (_block(tokens, lines) for tokens in _top_level(_PARSER.parse(text, {})))


def copy(source: str) -> Copy:
    """Return an update's text in all its forms.

    *text* has one line a paragraph, headings with their ``#`` and other blocks as in the source;
    *words* counts its paragraphs, as `words` does.
    """
    text = normal(source)
    parts = _blocks(text)
    return Copy(
        source=text,
        text="\n".join(map(as_text, parts)),
        html="\n".join(block.html for block in parts),
        words=words(parts),
    )


def words(blocks: Iterable[Block]) -> int:
    """Count the words of the paragraphs: what white space divides, a lone dash too.

    Headings, lists, quotes, code and tables don't count towards the reading time.
    """
    return sum(len(block.text.split()) for block in blocks if block.kind == "paragraph")


def as_text(block: Block) -> str:
    """Return the block as the text page has it, without a teaser."""
    return f"{'#' * block.level} {block.text}" if block.level else block.text


def fences(source: str) -> list[Fence]:
    """Return the fenced code of *source* that is inside nothing else."""
    if not _MAY_FENCE.search(source):
        return []
    lines = source.split("\n")
    return [
        _fence(token, lines)
        for token in _PARSER.parse(source, {})
        if token.type == "fence" and token.level == 0 and token.map
    ]


def _fence(token: Token, lines: Sequence[str]) -> Fence:
    first, end = token.map or (0, 0)
    last = lines[end - 1].strip() if end - first > 1 else ""
    closed = last.startswith(token.markup) and not last.strip(token.markup[0])
    return Fence(range(first, end), None if closed else token.markup)


def _top_level(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Cut the stream of tokens at the ends of its outermost blocks."""
    start = 0
    for end, token in enumerate(tokens, start=1):
        if token.level == 0 and token.nesting <= 0:
            yield tokens[start:end]
            start = end


def _paragraph(source: str) -> Block:
    if is_plain(source):
        text = source.replace("\n", " ")
        return Block("paragraph", text, f"<p>{source}</p>", teaser=_teaser(text))
    inline = _PARSER.parseInline(source, {})
    html = _PARSER.renderer.render(inline, _PARSER.options, {})
    text = _plain(inline[0].children or ())
    return Block("paragraph", text, _clean(f"<p>{html}</p>"), teaser=_teaser(text))


def _block(tokens: Sequence[Token], lines: Sequence[str]) -> Block:
    opening = tokens[0]
    html = _html(tokens)
    if opening.type == "paragraph_open":
        text = _plain(tokens[1].children or ())
        return Block("paragraph", text, html, teaser=_teaser(text))
    if opening.type == "heading_open":
        text = _plain(tokens[1].children or ())
        return Block("heading", text, html, level=int(opening.tag[1:]))
    return Block("other", _source(lines, *(opening.map or (0, 0))), html)


def _source(lines: Sequence[str], first: int, last: int) -> str:
    """Return the lines from *first* to before *last*, which may count blank ones in."""
    while last > first and not lines[last - 1].strip():
        last -= 1
    return "\n".join(lines[first:last])


def _teaser(text: str) -> str | None:
    return f"{text[:TEASER_CHARS]}..." if len(text) > TEASER_CHARS else None


def _plain(inline: Iterable[Token]) -> str:
    """Resolve inline markup; an entity may bring back white space or a stray accent, so last."""
    return nfc(_WHITE_SPACE.sub(" ", "".join(map(_said, inline))).strip(" "))


def _said(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " "
    return _plain(token.children or ()) if token.type == "image" else token.content


def _html(tokens: Sequence[Token]) -> str:
    return _clean(_PARSER.renderer.render(tokens, _PARSER.options, {}))


def _clean(html: str) -> str:
    return _CLEANER.clean(html).replace("\r", " ").replace("\f", " ").rstrip("\n")


def _quote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a quote while there is room; after that its mark is text."""
    if silent or not blockquote(state, start, end, silent=True):
        return blockquote(state, start, end, silent)
    room = state.env.setdefault("quote_lines", MAX_QUOTE_LINES)
    within = range(start, min(end, start + room))
    ahead = next((line for line in within if state.isEmpty(line)), within.stop) - start
    state.env["quote_lines"] = room - ahead
    return room > ahead and blockquote(state, start, end, silent)


def _vet_links(state: StateCore) -> None:
    """Hide the tags of a link that leads nowhere outside or for which there is no room left."""
    room = MAX_LINK_CHARS
    for block in state.tokens:
        refused: list[bool] = []
        for token in block.children or ():
            if token.type == "link_open":
                address = str(token.attrs["href"])
                room -= len(address)
                token.hidden = room < 0 or not _LINK.match(address)
                refused.append(token.hidden)
            elif token.type == "link_close":
                token.hidden = refused.pop()


def _alt_text(
    _: RendererHTML, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType
) -> str:
    return escapeHtml(_said(tokens[at]))


def _heading_tag(
    _: RendererHTML, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType
) -> str:
    """Write a first-level heading as ``h2``: the page's one ``h1`` is the headline."""
    level = max(2, int(tokens[at].tag[1:]))
    return f"<h{level}>" if tokens[at].nesting == 1 else f"</h{level}>\n"


def _any_address(url: str) -> bool:  # noqa: ARG001 -- the parser's hook
    """Let each be a link to the parser: what it refuses it shows to readers, markup and all."""
    return True


def _parser() -> MarkdownIt:
    parser = MarkdownIt("js-default", {"maxNesting": MAX_NESTING})
    parser.validateLink = _any_address  # type: ignore[method-assign]
    others: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.at("blockquote", _quote, others)
    parser.core.ruler.push("vet_links", _vet_links)
    parser.add_render_rule("image", _alt_text)
    parser.add_render_rule("heading_open", _heading_tag)
    parser.add_render_rule("heading_close", _heading_tag)
    return parser


_PARSER = _parser()
_CLEANER = Cleaner(
    tags={
        "a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol",
        "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
    },
    clean_content_tags=set(),
    attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener nofollow",
)  # fmt: skip
