"""Which articles a reader of all of them hears of."""

from __future__ import annotations

import pytest

from services.deliver.core.topics import Topic, Wish, topic_of

SPORT = Topic("sport", frozenset({"rowing", "harbour"}))
NEWS = Topic("news", frozenset({"harbour"}))


@pytest.mark.parametrize(
    ("sections", "tags", "taken"),
    [
        ([], [], True),
        (["sport"], [], True),
        (["news"], [], False),
        (["news", "sport"], [], True),
        ([], ["rowing"], True),
        ([], ["sailing"], False),
        ([], ["sailing", "harbour"], True),
        (["sport"], ["rowing"], True),
        (["sport"], ["sailing"], False),
        (["news"], ["rowing"], False),
        (["Sport"], [], False),
    ],
)
def test_one_of_the_sections_and_one_of_the_tags_is_wanted(sections, tags, taken):
    assert Wish(frozenset(sections), frozenset(tags)).takes([SPORT]) is taken


def test_an_article_that_just_left_is_still_told_of():
    wish = Wish(frozenset({"sport"}), frozenset({"rowing"}))

    assert wish.takes([NEWS, SPORT])
    assert not wish.takes([NEWS])


def test_section_and_tag_must_be_the_same_topics():
    was, now = Topic("sport"), Topic("news", frozenset({"rowing"}))

    assert not Wish(frozenset({"sport"}), frozenset({"rowing"})).takes([was, now])


def test_a_kill_is_told_to_all():
    assert Wish(frozenset({"sport"})).takes([])


@pytest.mark.parametrize("facts", [{"tags": "rowing"}, {"tags": [1]}, {"section": 7}])
def test_what_is_no_topic_is_refused(facts):
    with pytest.raises(ValueError, match="must be"):
        topic_of(facts)
