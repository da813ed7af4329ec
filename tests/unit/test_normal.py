"""Text in its one form."""

from __future__ import annotations

import unicodedata

from shared.article.normal import MAX_MARKS, nfc, normal


def test_text_is_composed():
    assert nfc("Zu\u0308rich") == "Zürich"


def test_marks_as_languages_use_them_are_only_put_in_order():
    stacked = "q\u0323\u0307" * 100 + "———" * 50

    assert nfc(stacked) == unicodedata.normalize("NFC", stacked)


def test_a_tower_of_marks_is_broken_so_that_it_cannot_cost_the_square_of_its_height():
    tower = "a" + "\u0301\u0316" * 50_000

    text = nfc(tower)

    assert max(map(len, text.split("\u034f"))) <= MAX_MARKS + 1
    assert text.replace("\u034f", "").count("\u0316") == 50_000
    assert nfc(text) == text


def test_controls_become_the_replacement_character_and_line_ends_line_feeds():
    assert normal("a\r\nb\rc\td\x07\x85\ufffe") == "a\nb\nc\td\ufffd\ufffd\ufffd"
