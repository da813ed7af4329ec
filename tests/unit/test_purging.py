"""What caches are told to let go of: each key once, what was taken back first, and twice."""

from __future__ import annotations

import orjson
import pytest

from services.deliver.core.purging import (
    AGAIN_MILLISECONDS,
    Old,
    Waiting,
    call,
    most_keys,
    taken_back,
)

NOW = 1_763_200_000_000


def keys(olds: list[Old]) -> list[str]:
    return [old.key for old in olds]


def waiting(*olds: Old) -> Waiting:
    made = Waiting()
    made.add(*olds)
    return made


def test_what_was_taken_back_is_told_first_then_what_waits_longest() -> None:
    made = waiting(Old("b", NOW - 1, False), Old("a", NOW - 9, False), Old("c", NOW, True))

    assert keys(made.take(NOW, 2)) == ["c", "a"]
    assert keys(made.take(NOW, 2)) == ["b"]
    assert made.take(NOW, 2) == []


def test_a_key_waits_once_since_its_first_change_and_in_its_last_hurry() -> None:
    made = waiting(Old("a", NOW, False), Old("a", NOW + 5, True))

    assert made.since == NOW
    assert made.take(NOW + 5, 9) == [Old("a", NOW, True)]


def test_a_change_that_comes_while_a_cache_is_told_is_told_as_well() -> None:
    made = waiting(Old("a", NOW, False))
    taken = made.take(NOW, 9)

    made.add(Old("a", NOW + 1, False))
    made.told(taken, NOW + 2)

    assert made.take(NOW + 2, 9) == [Old("a", NOW + 1, False)]


def test_what_a_cache_did_not_take_waits_on_since_then() -> None:
    made = waiting(Old("a", NOW, True))
    taken = made.take(NOW, 9)
    made.add(Old("a", NOW + 7, False))

    made.add(*taken)

    assert made.untold
    assert made.take(NOW + 9, 9) == [Old("a", NOW, True)]


def test_what_was_taken_back_is_told_a_second_time_a_little_later_and_no_more() -> None:
    made = waiting(Old("a", NOW, True), Old("b", NOW, False))

    made.told(made.take(NOW, 9), NOW)

    assert not made.untold
    assert made.since is None
    assert made.take(NOW + AGAIN_MILLISECONDS - 1, 9) == []
    again = made.take(NOW + AGAIN_MILLISECONDS, 9)
    assert keys(again) == ["a"]
    made.told(again, NOW + AGAIN_MILLISECONDS)
    assert made.take(NOW + 10 * AGAIN_MILLISECONDS, 9) == []


def test_a_change_before_the_second_time_does_not_take_its_hurry_away() -> None:
    made = waiting(Old("a", NOW, True))
    made.told(made.take(NOW, 9), NOW)

    made.add(Old("a", NOW + 1, False))

    assert made.take(NOW + 1, 9) == [Old("a", NOW + 1, True)]


@pytest.mark.parametrize(
    ("kinds", "so"),
    [
        (["update.posted", "update.retracted"], True),
        (["article.killed"], True),
        (["update.redacted"], True),
        (["update.corrected"], True),
        (["update.posted", "update.revised", ""], False),
    ],
)
def test_what_takes_something_back_is_known_by_its_kind(kinds: list[str], so: bool) -> None:
    assert taken_back(kinds) is so


def test_each_cache_is_told_in_its_own_way() -> None:
    fastly = call("fastly", ["wt-a", "wt-latest"], "word")
    varnish = call("varnish", ["wt-a", "wt-latest"], None)
    cloudflare = call("cloudflare", ["wt-a", "wt-latest"], "word")

    assert (fastly.method, fastly.headers["surrogate-key"]) == ("POST", "wt-a wt-latest")
    assert fastly.headers["fastly-key"] == "word"
    assert (varnish.method, dict(varnish.headers)) == ("PURGE", {"xkey-purge": "wt-a wt-latest"})
    assert call("varnish", ["wt-a"], "word").headers["authorization"] == "Bearer word"
    assert orjson.loads(cloudflare.body) == {"tags": ["wt-a", "wt-latest"]}
    assert cloudflare.headers["authorization"] == "Bearer word"


def test_a_header_has_only_as_many_keys_as_servers_take() -> None:
    many = [f"wt-{number:0120}" for number in range(200)]

    said = call("varnish", many, None)

    assert said.keys == tuple(many[: len(said.keys)])
    assert 1 <= len(said.keys) < most_keys("varnish")
    assert len(said.headers["xkey-purge"]) <= 4_096
    assert len(call("cloudflare", many[:30], None).keys) == most_keys("cloudflare")
