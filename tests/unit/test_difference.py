"""Two texts compared word by word: right for any, and soon done with the worst."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.article.difference import EFFORT, Effort, Line, differs, lines, words

texts = st.text(st.sampled_from("aab .,\n日本'"), max_size=60)


def old_of(line: Line) -> str:
    return "".join(piece.text for piece in line if piece.kind != "added")


def new_of(line: Line) -> str:
    return "".join(piece.text for piece in line if piece.kind != "removed")


def unspaced(text: str) -> str:
    return "".join(text.split())


@given(texts, texts)
def test_both_texts_are_in_what_is_told_up_to_white_space(old: str, new: str) -> None:
    found = lines(old, new, Effort())

    assert "".join(map(new_of, found)) == new.replace("\n", "")
    assert unspaced("".join(map(old_of, found))) == unspaced(old)
    if old == new:
        assert not differs(found)


def test_a_changed_word_is_told_and_its_neighbours_are_not() -> None:
    assert words("The bridge is open, says Ann.", "The bridge was open, says Ann.", Effort()) == (
        ("same", "The bridge "), ("removed", "is "), ("added", "was "), ("same", "open, says Ann."),
    )  # fmt: skip


def test_texts_with_little_in_common_are_told_as_a_whole() -> None:
    old, new = "Ten lorries crossed the bridge.", "A minister spoke to the press about it."

    assert words(old, new, Effort()) == (("removed", old), ("added", new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a " * 60_000, "b " + "a " * 60_000 + "c"),
        (" ".join(f"x y{n}" for n in range(20_000)), " ".join(f"x z{n}" for n in range(20_000))),
        ("a\n" * 60_000, "".join(f"b{n % 7}\n" for n in range(60_000))),
        (" " * 100_000 + "a", "b" + " " * 100_000),
    ],
)
def test_no_text_takes_more_than_the_effort_there_is(old: str, new: str) -> None:
    effort = Effort()

    found = lines(old, new, effort)

    assert 0 <= effort.left <= EFFORT
    assert differs(found)


def test_the_effort_is_for_all_texts_together() -> None:
    effort = Effort(left=40)
    for _ in range(9):
        words("a b c d e f g h", "a x c y e z g q", effort)

    assert 0 <= effort.left < 40
    old, new = "a b c d e f g h", "b c d e f g h i"
    assert words(old, new, effort) == (("removed", old), ("added", new))
