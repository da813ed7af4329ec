from __future__ import annotations

import pytest

from services.ingest.core.checks.citations import dangling, unused
from services.ingest.core.checks.likeness import features, near_duplicate
from services.ingest.core.checks.memory import UPDATES, Memory
from services.ingest.core.checks.prose import MASK, prose
from services.ingest.core.checks.quotations import of_update, quotations, same_quote
from shared.contract.desk import DEFAULTS, in_force, parse_levels
from tests.corpus.measuring import PAGE, Row, alarms, faulty, found_in, post, renewed

#: What a check is known to miss.
MISSED = {"In a letter, the minister has asked the banks not to shut branches, as older people "}


def test_nothing_that_warns_unasked_warns_of_clean_copy():
    false = [alarm for alarm in alarms() if DEFAULTS[alarm.finding.check] != "off"]
    assert [(alarm.line, alarm.finding.check, alarm.finding.detail) for alarm in false] == []


def test_the_figures_on_the_page_are_those_of_the_corpus():
    """`python -m tests.corpus` renews them."""
    page = PAGE.read_text("utf-8")
    assert renewed(page) == page


@pytest.mark.parametrize("row", faulty(), ids=lambda row: f"{row['check']}: {row['text'][:40]}")
def test_what_is_wrong_is_found(row: Row):
    found = {finding.check for finding in found_in(row)}
    assert (row["check"] in found) == (row["text"][:84] not in MISSED)


def test_a_finding_points_at_the_very_place():
    text = "Turnout was high [1] and rising[7]."
    found = [finding for finding in found_in({"text": text}) if finding.where]
    assert [text[each.where.start : each.where.end] for each in found if each.where] == ["[7]"]
    assert found[0].to_json("warn") == {
        "check": "dangling-citation",
        "level": "warn",
        "detail": "[7] has no source; add a source with n 7, or take it out.",
        "pointer": "/data/text",
        "span": [31, 34],
        "n": 7,
    }


@pytest.mark.parametrize(
    "text",
    [
        "See [the report][7].\n\n[7]: https://news.example/report",
        "It rose[7].\n\n[7] Harbour Gazette, 1 March",
        "Run `list[7]`.",
        "The code is items_left[7] = 3.",
        "It was [7](https://news.example/7) in all.",
        "That was in [2025].",
        r"Literally \[7\].",
        "“We lost [7] boats,” she said.",
    ],
)
def test_a_number_in_brackets_that_cites_nothing_is_no_citation(text: str):
    assert not list(dangling("/data/text", text, ()))


def test_a_citation_may_be_of_another_update_of_the_article():
    memory = Memory()
    memory.take(post("u1", {"text": "It rose[7].", "sources": [7]}))
    assert memory.sources == {7}
    assert not list(dangling("/data/text", "It fell[7].", memory.sources))


def test_a_range_cites_all_that_is_in_it():
    assert not list(unused("/data/text", "Studies agree[2–4].", [("/s/0", 3), ("/s/1", 4)]))


def test_what_is_masked_leaves_all_else_in_its_place():
    text = "a `b c` [d](https://x.example/e) f"
    masked = prose(text)
    assert len(masked) == len(text)
    assert masked.replace(MASK, "") == "a  [d] f"


def _alike(ours: str, theirs: str) -> list[str]:
    others = [("u1", features(theirs))]
    return [each.facts["update_id"] for each in near_duplicate("/t", ours, features(ours), others)]


def test_an_alert_in_the_same_mould_is_no_duplicate_but_the_same_alert_is():
    one = (
        "A magnitude 4.3 aftershock struck north of Selby at 14:22, the survey said. "
        "There were no immediate reports of damage or of injuries."
    )
    assert _alike(one, one) == ["u1"]
    assert not _alike(one.replace("4.3", "4.0").replace("14:22", "15:01"), one)
    assert not _alike(one.replace("Selby", "Lorne"), one.replace("north", "south"))


def test_what_is_short_is_no_duplicate():
    assert not _alike("Corner to Northgate, cleared.", "Corner to Northgate, cleared.")


def _twice(ours: str, theirs: str) -> list[list[str]]:
    others = of_update("u1", quotations(theirs))
    return [each.facts["speakers"] for each in same_quote("/t", quotations(ours), others)]


def test_a_quotation_given_to_two_people_is_found_with_both():
    ours = "“We will have it open by Friday,” said Paul Idris."
    theirs = "“We will have it open by Friday,” said Marta Veen, the chief engineer."
    assert _twice(ours, theirs) == [["Paul Idris", "Marta Veen"]]


@pytest.mark.parametrize(
    "ours",
    [
        "“We will have it open by Friday,” said Veen.",
        "“We will have it open by Friday,” she said.",
        "“We will have it open by Friday,” said Dr Veen of the roads department.",
        "“We will have it open by Friday,” said Paul Idris, who speaks for Veen.",
        "Paul Idris, echoing Friday’s words, said: “We will have it open by Friday.”",
        "“We will have it open by Friday.”",
    ],
)
def test_a_quotation_whose_speaker_may_be_the_same_is_nobodys_mistake(ours: str):
    theirs = "“We will have it open by Friday,” said Marta Veen, the chief engineer."
    assert _twice(ours, theirs) == []


def test_one_word_is_a_quotation_of_one_person_only_where_the_sentences_say_the_same():
    theirs = (
        "Owen Tate has warned that closing the harbour line is a “catastrophic” mistake for all."
    )
    ours = "Nell Byrne has warned that closing the harbour line would be a “catastrophic” mistake."
    assert _twice(ours, theirs) == [["Nell Byrne", "Owen Tate"]]
    assert _twice("Nell Byrne has warned MPs of a “catastrophic” mistake in defence.", theirs) == []


def test_of_an_article_the_last_live_updates_are_remembered_as_they_stand():
    memory = Memory()
    for number in range(UPDATES + 2):
        memory.take(post(f"u{number}", {"text": f"Number {number}"}))
    assert list(memory.updates) == [f"u{number}" for number in range(2, UPDATES + 2)]
    correction = post("c", {"text": "Another"})
    correction |= {"type": "writethru.update.corrected"}
    correction["data"] |= {"update_id": "u9", "note": "n"}
    memory.take(correction)
    assert memory.updates["u9"].features == features("Another")
    retraction = correction | {"type": "writethru.update.retracted"}
    memory.take(retraction)
    assert "u9" not in memory.updates


def test_levels_are_read_from_a_line():
    assert parse_levels(" cut-short=hold, unused-source = warn,") == {
        "cut-short": "hold",
        "unused-source": "warn",
    }


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("cutshort=warn", "'cutshort' is no check; the checks are dangling-citation"),
        ("cut-short", "cut-short must be one of off, warn, hold, refuse"),
        ("cut-short=on", "cut-short must be one of off, warn, hold, refuse"),
        ("cut-short=warn,cut-short=off", "cut-short is set twice"),
    ],
)
def test_a_wrong_level_is_told_with_what_is_right(line: str, says: str):
    with pytest.raises(ValueError, match=says):
        parse_levels(line)


def test_the_nearest_to_the_copy_sets_a_level():
    levels = in_force({"cut-short": "off", "odd-time": "off"}, {"cut-short": "warn"}, {})
    assert levels["cut-short"] == "warn"
    assert levels["odd-time"] == "off"
    assert levels["placeholder"] == DEFAULTS["placeholder"]
    assert in_force({"cut-short": "warn"}, {}, {"cut-short": "off"})["cut-short"] == "off"
    assert in_force({"cut-short": "off"}, {}, {"cut-short": "refuse"})["cut-short"] == "refuse"


def test_an_article_is_not_let_off_what_stops_copy():
    assert in_force({"cut-short": "hold"}, {}, {"cut-short": "off"})["cut-short"] == "hold"
    assert in_force({}, {"cut-short": "refuse"}, {"cut-short": "hold"})["cut-short"] == "refuse"
    assert in_force({"cut-short": "hold"}, {}, {"cut-short": "refuse"})["cut-short"] == "refuse"
    assert in_force({"cut-short": "hold"}, {"cut-short": "off"}, {})["cut-short"] == "off"
