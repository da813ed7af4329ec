"""What render stores is bound to the fold revision, and what older ones stored is still read."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from shared.article.article import Article
from shared.article.fold import FOLD_REVISION
from shared.article.formats import json, text
from shared.article.stored import load_body, load_head, load_update
from tests.golden.stored import REMEDY, Hashes, Kept, kept, made


def others(before: Hashes, after: Hashes) -> list[str]:
    """Name the fields that are not the same in both."""
    return [
        f"{key} {name}"
        for key in sorted(before.keys() | after.keys())
        for name in sorted(before.get(key, {}).keys() | after.get(key, {}).keys())
        if before.get(key, {}).get(name) != after.get(key, {}).get(name)
    ]


@pytest.mark.parametrize(("path", "data"), list(made()), ids=lambda each: getattr(each, "stem", ""))
def test_other_stored_bytes_need_another_fold_revision(path: Path, data: bytes):
    # given what this revision has stored of a ledger
    if not path.exists():
        pytest.fail(f"{path} is missing; run `python -m tests.golden`", pytrace=False)
    before = path.read_bytes()
    # when it is folded by the present code
    # then it would store the same
    if data != before:
        names = ", ".join(others(orjson.loads(before), orjson.loads(data)))
        remedy = REMEDY.format(revision=FOLD_REVISION)
        pytest.fail(f"{path.name}, {names}: {remedy}", pytrace=False)


@pytest.mark.parametrize("stored", kept(), ids=lambda each: f"r{each.revision}-{each.path.stem}")
def test_what_any_revision_has_stored_is_read_and_shown(stored: Kept):
    # given all that is stored of an article
    found = stored.hashes()
    state, fields = found["state"], found["updates"]
    # when the present code reads it
    head = load_head(state["head"].encode())
    body = load_body(fields[state["body"]].encode()) if state.get("body") else None
    refs = [ref for line in found["pages"].values() for ref in line.split()]
    updates = [load_update(fields[ref].encode()) for ref in refs]
    # then it gives the article's page
    assert (head.version, head.chain) == (int(state["version"]), state["chain"])
    assert len(updates) == head.posted
    if head.status != "killed":
        assert body is not None
        article = Article(head, body, {each.update_id: each for each in updates})
        assert head.headline in text.page(article)
        assert json.article(article)["update_count"] == head.update_count
