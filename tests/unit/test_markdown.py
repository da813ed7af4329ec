"""Markdown as blocks: plain text, teasers, safe HTML, and what happens to everything else."""

from __future__ import annotations

import pytest

from shared.article.article import Block
from shared.article.markdown import MAX_LINK_CHARS, MAX_QUOTE_LINES, as_text, blocks, copy, words


def only(source: str) -> Block:
    (block,) = blocks(source)
    return block


def test_a_paragraph_is_plain_text_on_one_line():
    source = "The **ferry**\n*Osprey* left  `early`,  \nsaid [the pilot](https://example.org/log)."

    block = only(source)

    assert block.kind == "paragraph"
    assert block.text == "The ferry Osprey left early, said the pilot."
    assert block.html == (
        "<p>The <strong>ferry</strong>\n<em>Osprey</em> left  <code>early</code>,<br>\n"
        'said <a href="https://example.org/log" rel="noopener nofollow">the pilot</a>.</p>'
    )


def test_entities_and_escapes_are_resolved():
    assert only(r"Fish &amp; chips, \*not\* free &lt;b&gt;").text == "Fish & chips, *not* free <b>"


@pytest.mark.parametrize("citation", ["[8]", "[1][3]", "[8][", "[ ]"])
def test_a_citation_without_a_definition_stays(citation):
    assert only(f"Tolls rose{citation}.").text == f"Tolls rose{citation}."


def test_a_citation_with_a_definition_is_a_link_and_the_definition_vanishes():
    block = only("Tolls rose[8].\n\n[8]: https://example.org/tolls")

    assert block.text == "Tolls rose8."
    assert 'href="https://example.org/tolls"' in block.html


@pytest.mark.parametrize(
    ("length", "teaser"),
    [(59, None), (60, None), (61, "é" * 60 + "...")],
)
def test_a_teaser_is_for_paragraphs_of_more_than_sixty_characters(length, teaser):
    assert only("é" * length).teaser == teaser


def test_a_teaser_counts_code_points_and_is_not_trimmed():
    text = "🛳" * 59 + " " + "x"

    assert only(text).teaser == "🛳" * 59 + " ..."


@pytest.mark.parametrize(
    ("source", "level", "text"),
    [
        ("## Tides & **tolls** ##", 2, "Tides & tolls"),
        ("Tides\n-----", 2, "Tides"),
        ("Tides\n=====", 1, "Tides"),
        ("###### Small print", 6, "Small print"),
    ],
)
def test_a_heading_has_its_level_and_plain_text(source, level, text):
    block = only(source)

    assert (block.kind, block.level, block.text, block.teaser) == ("heading", level, text, None)
    assert as_text(block) == f"{'#' * level} {text}"


def test_the_page_keeps_the_first_heading_level_for_its_headline():
    assert only("# Tides *today*").html == "<h2>Tides <em>today</em></h2>"


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("- one\n  1. *two*", "<ul>\n<li>one\n<ol>\n<li><em>two</em></li>\n</ol>\n</li>\n</ul>"),
        ("3. three\n4. four", '<ol start="3">\n<li>three</li>\n<li>four</li>\n</ol>'),
        ("> Not\n> *today*.", "<blockquote>\n<p>Not\n<em>today</em>.</p>\n</blockquote>"),
        ("```log\n<b> & so\n\n```", "<pre><code>&lt;b&gt; &amp; so\n\n</code></pre>"),
        ("    indented  code", "<pre><code>indented  code\n</code></pre>"),
        ("* * *", "<hr>"),
    ],
)
def test_another_block_is_as_in_the_source(source, html):
    assert only(source) == Block("other", source, html)


def test_a_table_is_as_in_the_source_and_carries_no_style():
    source = "Hour | Level\n:--- | ---:\n09:00 | 3.1"

    block = only(source)

    assert block.text == source
    assert "<td>3.1</td>" in block.html
    assert "style" not in block.html


def test_blank_lines_after_a_block_are_not_its_own():
    first, second = blocks("\n\n- a\n\n- b \n \n\nThen.\n\n")

    assert first.text == "- a\n\n- b "
    assert second.text == "Then."


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "ftp://example.org", "/tolls", "tolls", "#a", "",
     "//example.org", "https:", "https:///x", "vbscript:x", "JaVaScRiPt:alert(1)"],
)  # fmt: skip
def test_a_link_that_does_not_lead_outside_is_its_text(address):
    block = only(f"See [the tolls](<{address}>) now")

    assert block.text == "See the tolls now"
    assert block.html == "<p>See the tolls now</p>"


@pytest.mark.parametrize(
    "address", ["https://example.org/", "HTTP://EXAMPLE.org", "mailto:a@b.org"]
)
def test_a_link_that_leads_outside_has_its_address_and_no_other_attribute(address):
    block = only(f'[there]({address} "onclick")')

    assert block.html == f'<p><a href="{address}" rel="noopener nofollow">there</a></p>'


def test_raw_html_is_text():
    block = only('<img src=x onerror="alert(1)"> and <b>bold</b>')

    assert block.text == '<img src=x onerror="alert(1)"> and <b>bold</b>'
    assert block.html == '<p>&lt;img src=x onerror="alert(1)"&gt; and &lt;b&gt;bold&lt;/b&gt;</p>'


def test_an_image_is_its_alt_text():
    block = only("Seen: ![the *east* <pier>](https://example.org/pier.jpg)")

    assert block.text == "Seen: the east <pier>"
    assert block.html == "<p>Seen: the east &lt;pier&gt;</p>"


@pytest.mark.parametrize("source", ["", "\n \n", "#", "![](https://example.org/a.jpg)", "[a]: b"])
def test_what_shows_nothing_is_no_block(source):
    assert blocks(source) == ()


def test_text_is_composed_also_where_markup_or_an_entity_kept_it_apart():
    assert only("Cafe\u0301, cafe&#769;, e**\u0301**").text == "Café, café, é"


def test_line_ends_of_any_system_are_line_ends():
    assert [block.text for block in blocks("one\r\ntwo\r\rthree")] == ["one two", "three"]


def test_spaces_that_hold_words_together_are_kept():
    assert only("12\u00a0000 tonnes,  9\u202fkm\u2028on").text == "12\u00a0000 tonnes, 9\u202fkm on"


def test_what_is_no_text_becomes_the_replacement_character():
    assert only("a\x00b\x1bc\ud800d").text == "a\ufffdb\ufffdc\ufffdd"


def test_an_update_is_one_line_a_paragraph():
    source = "## Noon\n\nThe *span*\nholds.\n\n> Told\n> you\n\nAll clear."

    made = copy(source)

    assert made.text == "## Noon\nThe span holds.\n> Told\n> you\nAll clear."
    assert made.html.startswith("<h2>Noon</h2>\n<p>The <em>span</em>\nholds.</p>\n<blockquote>")
    assert made.source == source


def test_words_are_those_of_the_paragraphs():
    source = "## Not these\n\nThree\n*short* words\n\n- nor these\n\n— four, and a dash"

    assert words(blocks(source)) == 3 + 5
    assert copy(source).words == 3 + 5


def test_a_definition_used_over_and_over_does_not_multiply_its_address():
    source = f"[a]: https://example.org/{'x' * 50_000}\n\n" + "[a] " * 5_000

    made = copy(source)

    assert len(made.html) < 2 * MAX_LINK_CHARS
    assert made.words == 5_000


def test_quotes_end_where_looking_for_their_ends_would_cost_the_square_of_their_number():
    """Each quote here makes the parser look through all lines after it."""
    pairs = 5_000
    looked_through = pairs * pairs

    quotes = [block for block in blocks("> #\nx\n" * pairs) if block.kind == "other"]

    assert looked_through > MAX_QUOTE_LINES
    assert len(quotes) * 2 * pairs < 2 * MAX_QUOTE_LINES


def test_quotes_of_any_sensible_number_are_quotes():
    assert {block.kind for block in blocks("> One\n> two\n\n" * 2_000)} == {"other"}
