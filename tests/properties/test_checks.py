from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.core.checks import placeholders as placeholders_
from services.ingest.core.checks.examine import examine
from services.ingest.core.checks.memory import Memory
from services.ingest.core.checks.prose import prose
from shared.article.dates import parse_rfc3339
from shared.contract.copy_rules import is_text
from shared.contract.events import MAX_EVENT_BYTES, parse_event
from tests.corpus.measuring import ALL_ON, NOW, post

#: What the checks look for, put together in every way.
PIECES = [
    *('"', "“", "”", "„", "«", "»", "「", "」", "'", "’", "(", ")", "[", "]"),
    *("**", "`", "```", "~~~", "[1]", " [2]", "[1, 2]", "[1–9]", "](", "](http://x.example"),
    *("http://", "www.", "\\", ":(", ";-)", "\n", "\n\n", " ", "\t", "- ", "1) ", "# ", "> ", "|"),
    *(".", ",", ". ", "…", "。", "-", "—", "a", "A", "the", "The", "Word", "word ", "Ana Reyes"),
    *(" said ", " said: ", "he said", "橋", "ก", "TK", "TK ", "$TK", "lorem ipsum", "{{", "}}"),
    *("as an AI model, I", "[insert ", "XXX people", "5' 10\"", "٣", "é", "e\u0301", "😀"),
]  # fmt: skip
HEAVY = [piece for piece in PIECES if piece.strip()] + [
    "“a b c d e” said A B. ", '"a b c d e", Bob Smith said. ', "A B said: “x y z w v” ", "[1]: x\n",
    "](a", "**a ", " **a** ", "a.", "a. ", "[0,", "(a", "a) ", "[^1]: ", "I'm sorry, but I ",
    "name TK", "``` ```` ", "Certainly! Here is ",
]  # fmt: skip

#: Four times the text is four times the work, or a little more; sixteen, if it grows by its square.
LIMIT = 9

copy = st.text().filter(is_text) | st.lists(st.sampled_from(PIECES)).map("".join)
said = copy.filter(lambda text: bool(text.strip()))


@given(st.lists(said, min_size=1, max_size=4))
def test_checks_have_an_answer_to_any_text(texts: list[str]):
    memory = Memory()
    for number, text in enumerate(texts):
        event = post(f"u{number}", {"text": text})
        parsed = parse_event(event)
        for finding in examine(parsed, memory, ALL_ON, parse_rfc3339(NOW)):
            if finding.where is not None:
                assert 0 <= finding.where.start < finding.where.end <= len(parsed.act.text)  # type: ignore[union-attr]
            assert finding.to_json("warn")["detail"]
        memory.take(event)


@given(st.lists(said, min_size=1, max_size=3), st.integers(0, 3))
def test_a_quick_look_that_finds_nothing_to_search_for_hides_nothing(texts: list[str], at: int):
    text = " ".join([*texts[:at], "Reyes", *texts[at:]])
    patterns = [pattern for pattern, _, _ in placeholders_.KINDS]
    unquoted = placeholders_.QUOTED.sub(lambda quoted: " " * len(quoted[0]), prose(text))

    found = list(placeholders_.placeholders("/data/text", text))

    spans = [each.span() for pattern in patterns for each in pattern.finditer(unquoted)]
    assert [(each.where.start, each.where.end) for each in found if each.where] == spans[:10]


@given(copy)
def test_what_is_no_prose_is_masked_in_place(text: str):
    masked = prose(text)
    assert len(masked) == len(text)
    assert masked.count("\n") <= text.count("\n")


def steps(text: str) -> Iterator[float]:
    """Yield how long the checks take for a quarter of *text*, and for all of it."""
    from time import process_time

    for size in (len(text) // 4, len(text)):
        event, memory = post("u2", {"text": text[:size]}), Memory()
        parsed = parse_event(event)
        memory.take(post("u1", {"text": text[:size]}))
        began = process_time()
        examine(parsed, memory, ALL_ON, parse_rfc3339(NOW))
        yield process_time() - began


@pytest.mark.parametrize("piece", HEAVY)
def test_four_times_the_text_is_no_sixteen_times_the_work(piece: str):
    room = MAX_EVENT_BYTES // len(piece.encode()) // 2
    quarters: list[float] = []
    wholes: list[float] = []
    # Other processes take their time too, so the shortest counts, and doubt is another look.
    while len(wholes) < 2 or (len(wholes) < 4 and ratio(quarters, wholes) >= LIMIT):
        quarter, whole = steps("x" + piece * room)
        quarters.append(quarter)
        wholes.append(whole)
    assert ratio(quarters, wholes) < LIMIT


def ratio(quarters: list[float], wholes: list[float]) -> float:
    return min(wholes) / max(min(quarters), 0.005)
