"""Which level counts, and how a request says it."""

from __future__ import annotations

import pytest

from shared.contract.durability import DURABILITIES, asked_by, parse_durability, strictest
from shared.contract.errors import Refused
from shared.runtime.durability import WAITS, Levels
from shared.runtime.redis import SOCKET_TIMEOUT_SECONDS

KEPT = Levels("fsync", "fsync")


def test_the_level_that_keeps_most_counts():
    assert strictest("fsync", None, "replica", "memory") == "replica"
    assert strictest(None, None) is None


def test_a_request_names_a_level_once_or_none():
    assert asked_by([]) is None
    assert [asked_by([f" {level.upper()} "]) for level in DURABILITIES] == list(DURABILITIES)
    with pytest.raises(Refused, match="Writethru-Durability: a request asks for one level, once"):
        asked_by(["fsync", "replica"])


def test_a_value_that_is_no_level_is_cut_short_in_what_is_said_of_it():
    with pytest.raises(ValueError, match=r"^'x{40}' is no level of durability; name memory, fsync"):
        parse_durability("x" * 9_000)


@pytest.mark.parametrize("level", ["memory", "fsync"])
def test_what_the_engine_keeps_by_itself_is_not_waited_for(level):
    assert KEPT.wait(level) is None
    assert KEPT.wait() is None


def test_a_request_may_ask_for_less_than_the_installation_but_not_than_its_key():
    levels = Levels("replica", "fsync")

    assert levels.wait() == WAITS["replica"]
    assert levels.wait("fsync") is None
    assert levels.wait("fsync", "replica-fsync") == WAITS["replica-fsync"]
    assert levels.wait("replica-fsync", "memory") == WAITS["replica-fsync"]


def test_an_error_or_a_count_that_is_too_small_confirms_nothing():
    assert WAITS["replica"].is_met(2)
    assert not WAITS["replica"].is_met(0)
    assert WAITS["replica-fsync"].is_met([1, 1])
    assert not any(map(WAITS["replica-fsync"].is_met, ([1, 0], [0, 1], OSError())))


def test_no_wait_outlasts_the_patience_of_its_socket():
    longest = max(int(words[-1]) for wait in WAITS.values() for words in wait.commands)

    assert 0 < longest < SOCKET_TIMEOUT_SECONDS * 1e3
