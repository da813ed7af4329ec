"""Whatever text comes, Markdown has a safe result for it."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser
from unittest import mock
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.article import markdown
from shared.article.markdown import blocks, copy

ATTRIBUTES = {"a": {"href", "rel"}, "ol": {"start"}}
TAGS = {
    "a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
EMPTY = {"br", "hr"}

#: Pieces that Markdown and HTML give a meaning to, so that chance meets it often.
PIECES = st.sampled_from(
    ["*", "**", "_", "`", "```\n", "~~", "[", "]", "](", ")", "![", "<", ">", "\n", "\n\n", "> ",
     "- ", "1. ", "# ", "    ", "|", "-|-\n", "\\", "&lt;", "&#12;", "&NewLine;", "[a]: b\n", "[a]",
     "javascript:", "https://e.org", "mailto:", "<script>", "<a href='x' onclick=1>", "<!--",
     "\x00", "\u0301", "\u202e", "\ud800", "\r", "\u2028", "é", "😀", "word", '"', "'", "("]
)  # fmt: skip
ANY_CHARACTER = st.characters(exclude_categories=())
SOURCES = st.lists(st.one_of(PIECES, st.text(ANY_CHARACTER, max_size=8)), max_size=40).map("".join)


class Reader(HTMLParser):
    """Collects what a browser would act upon, and what was left open."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, data):
        raise AssertionError(f"a comment came through: {data!r}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@given(SOURCES)
def test_html_has_nothing_but_what_is_allowed(source):
    reader = read(copy(source).html)

    assert reader.open == []
    for tag, attributes in reader.elements:
        assert tag in TAGS
        assert attributes.keys() <= ATTRIBUTES.get(tag, set())
        if "href" in attributes:
            assert urlsplit(attributes["href"] or "").scheme in {"http", "https", "mailto"}
            assert attributes["rel"] == "noopener nofollow"


#: What newsrooms write most: lines that begin with a letter, and whatever may follow one.
BEGINNINGS = st.sampled_from(["Rain", "“No”", "(so", '"She', "é", "ﬁ", "«"])
WITHIN = st.one_of(
    st.sampled_from([" ", "  ", "[8]", "[8](", "[8][9]", "![8]", "&", "*so*", "\xa0", "—", "50%"]),
    PIECES,
    st.text(ANY_CHARACTER, max_size=2),
)
LINES = st.tuples(BEGINNINGS, st.lists(WITHIN, max_size=5).map("".join)).map("".join)
ENDS = st.sampled_from(["\n", "\n\n", "\n\n\n", " \n", "  \n", "\r\n"])
PROSE = st.lists(st.tuples(LINES, ENDS).map("".join), min_size=1, max_size=4).map("".join)


@example("Open [8](https://example.org).")
@example("Rain [8][9] and ![8] ![8](https://example.org).")
@example("One  space too many.\n\nAnd \nhere  \nagain. ")
@example("Rain & wind\n\n- a list\n\n# A heading")
@example("Rain & wind | more")
@settings(max_examples=200)
@given(PROSE)
def test_paragraphs_read_without_a_parser_of_blocks_are_what_it_would_read(source):
    # given copy that may be prose
    # when it is read as such, and by the whole parser
    found = copy(source)
    with mock.patch.object(markdown, "paragraphs", return_value=None):
        parsed = copy(source)
    # then it makes no difference
    assert found == parsed


@given(SOURCES)
def test_the_same_source_has_the_same_blocks(source):
    assert blocks(source) == blocks(source)


@given(SOURCES)
def test_the_text_of_paragraphs_and_headings_is_one_composed_line(source):
    for block in blocks(source):
        assert block.text
        if block.kind != "other":
            assert len(block.text.splitlines()) == 1
            assert block.text == block.text.strip(" ")
            assert unicodedata.is_normalized("NFC", block.text)


@given(SOURCES)
def test_what_comes_out_can_be_sent_as_utf_8_and_stand_in_xml(source):
    made = copy(source)

    for text in (made.source, made.text, made.html):
        text.encode()
        assert not any(char < " " and char not in "\t\n" for char in text)


@given(SOURCES)
def test_a_source_once_made_normal_stays_so(source):
    made = copy(source)

    assert copy(made.source) == made


@given(st.text(ANY_CHARACTER))
def test_a_teaser_is_the_beginning_of_its_paragraph(source):
    for block in blocks(source):
        if block.teaser is not None:
            assert len(block.text) > 60
            assert block.teaser == block.text[:60] + "..."


@pytest.mark.parametrize(
    "unit",
    ["*", "[", "![", "`a", "**a *b ", "[a](", "[][", "> ", ">#\nx\n", "> [a]: b\n[a]: b\n", "- ",
     "- a\n", "\\", "&", "a|b\n-|-\n", "[a]: b\n", "<http:", "a\u0301\u0316",
     "\u0301\u0316", "\x00"],
)  # fmt: skip
def test_hostile_repetition_has_a_result(unit):
    assert copy(unit * (20_000 // len(unit))).source


@pytest.mark.parametrize("unit", [">", "> - ", "1. ", "![", "**a "])
def test_depth_has_an_end(unit):
    reader = read(copy(unit * 5_000 + "x").html)

    assert len(reader.elements) < 25_000
