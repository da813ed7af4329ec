"""Hostile texts never run: a short form of `python -m tests.browser.hostile`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.browser.hostile import WAYS, as_is, campaign
from tests.browser.payloads import payloads
from tests.stack import Stack

pytestmark = pytest.mark.browser

TEXTS = 16


@pytest.fixture
def quiet(_chrome: Chrome) -> Iterator[Chrome]:
    """A browser that may complain of what it was given."""
    yield _chrome
    _chrome.get_log("browser")


def test_no_text_of_a_publisher_runs_served_or_arriving_with_a_policy_or_without(
    stack: Stack, quiet: Chrome
) -> None:
    told: Counter[str] = Counter()

    outcome = campaign(stack, quiet, payloads(TEXTS, seed=7), lambda kind: told.update([kind]))

    assert told == dict.fromkeys(WAYS, TEXTS)
    for found in outcome:
        assert found.pages
        assert (found.ran, found.strange, found.policy) == ([], [], [])


def test_the_same_texts_would_run_in_a_page_that_escapes_nothing(quiet: Chrome) -> None:
    told: Counter[str] = Counter()

    found = as_is(quiet, payloads(TEXTS, seed=7), lambda kind: told.update([kind]))

    assert found.pages == TEXTS
    assert len(found.ran) >= TEXTS // 4


def test_a_text_has_a_number_and_is_the_same_each_time() -> None:
    first, again = payloads(200, seed=3), payloads(200, seed=3)

    assert first == again
    assert len(set(first)) == 200
    assert first != payloads(200, seed=4)
