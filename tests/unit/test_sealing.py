"""Secrets that are kept: nobody opens them but who has the keys, for whom they were sealed."""

from __future__ import annotations

import pytest

from shared.runtime.sealing import Seal, SealError

KEY = bytes(range(32))
SECRET = b"a secret of a subscriber"


def test_a_sealed_secret_is_opened_for_its_owner_and_says_nothing_before() -> None:
    seal = Seal(KEY)

    sealed = seal.seal(SECRET, "subscription 1")

    assert Seal(KEY).unseal(sealed, "subscription 1") == SECRET
    assert "secret" not in sealed
    assert sealed.isascii()
    assert sealed != seal.seal(SECRET, "subscription 1")


def test_a_sealed_secret_is_not_another_owners() -> None:
    sealed = Seal(KEY).seal(SECRET, "subscription 1")

    with pytest.raises(SealError, match="belongs to another owner"):
        Seal(KEY).unseal(sealed, "subscription 2")


@pytest.mark.parametrize(
    "other", [Seal(bytes(32)), Seal(KEY, "the operator's"), Seal(bytes(32), "x")]
)
def test_another_key_is_told_from_a_change(other: Seal) -> None:
    sealed = Seal(KEY).seal(SECRET, "subscription 1")

    with pytest.raises(SealError, match="set WRITETHRU_SEALING_KEY to what it was"):
        other.unseal(sealed, "subscription 1")


def test_a_change_anywhere_is_seen() -> None:
    sealed = Seal(KEY).seal(SECRET, "s")

    for place, letter in enumerate(sealed):
        changed = sealed[:place] + ("A" if letter != "A" else "B") + sealed[place + 1 :]
        with pytest.raises(SealError):
            Seal(KEY).unseal(changed, "s")


@pytest.mark.parametrize("text", ["", "s1", "s1.", "s2.00000000.AAAA", "whsec_abc", "s1..é", "é"])
def test_what_was_never_sealed_is_refused(text: str) -> None:
    with pytest.raises(SealError):
        Seal(KEY).unseal(text, "s")
