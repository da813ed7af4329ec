"""Validators of representations."""

from __future__ import annotations

import pytest

from services.deliver.core import etags
from shared.article.article import Mark
from shared.article.fold import FOLD_REVISION

HERE = Mark(8, "9f86d081884c")
TAG = etags.strong(HERE, "json", b"{}")


@pytest.mark.parametrize(
    "other",
    [
        etags.strong(Mark(9, "9f86d081884c"), "json", b"{}"),
        etags.strong(Mark(8, "0f86d081884c"), "json", b"{}"),
        etags.strong(HERE, "txt", b"{}"),
        etags.strong(HERE, "json", b"{ }"),
    ],
    ids=["version", "chain", "format", "what else the bytes show"],
)
def test_an_etag_differs_with_its(other):
    assert other != TAG


def test_an_etag_differs_with_the_fold_revision(monkeypatch):
    monkeypatch.setattr("services.deliver.core.etags.FOLD_REVISION", FOLD_REVISION + 1)

    assert etags.strong(HERE, "json", b"{}") != TAG


def test_an_etag_is_strong_and_the_same_for_the_same_bytes():
    assert TAG.startswith('"')
    assert etags.strong(HERE, "json", b"{}") == TAG


@pytest.mark.parametrize(
    "header",
    [
        TAG,
        f"W/{TAG}",
        f'"other", {TAG}',
        f'W/"other",{TAG},"more"',
        f'"with, comma", {TAG}',
        "*",
        " * ",
    ],
)
def test_if_none_match_names_it(header):
    assert etags.matches(header, TAG)


@pytest.mark.parametrize(
    "header", ["", '"other"', TAG.strip('"'), f'"{TAG[1:-1]}x"', "w/" + TAG[:-1], '"*"']
)
def test_if_none_match_does_not_name_it(header):
    assert not etags.matches(header, TAG)
