"""The stored form of the golden ledgers, one folder a fold revision, to the byte.

A revision's folder never changes once it was released: it is what installations hold. The
folders of older revisions are what present code must read until it has folded them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from services.render.core.writes import latest_score, replacing
from shared.article.article import Article
from shared.article.fold import FOLD_REVISION
from shared.article.stored import dump_head, update_ref
from tests.golden.pages import FOLDER, article_of, ledgers

STORED = FOLDER / "stored"
#: What to do about other bytes; for whoever sees the check fail, and for `python -m tests.golden`.
REMEDY = (
    "render would store other bytes under the same fold revision, so that articles which are "
    "stored would stay as they are. Raise FOLD_REVISION in shared/article/fold.py and run "
    "`python -m tests.golden`; if this revision was never released, remove "
    "tests/golden/stored/r{revision} instead and run that."
)

Hashes = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Kept:
    """The stored form of the ledger at *path*, as revision *revision* wrote it."""

    path: Path
    revision: int

    @property
    def ledger(self) -> Path:
        return next(each for each in ledgers() if each.stem == self.path.stem)

    def hashes(self) -> Hashes:
        found: Hashes = orjson.loads(self.path.read_bytes())
        return found


def kept(revision: int | None = None) -> list[Kept]:
    """Return what is kept of *revision*, or of all."""
    return [
        Kept(path, int(path.parent.name[1:]))
        for path in sorted(STORED.glob(f"r{revision or '*'}/*.json"))
    ]


def place(ledger: Path, revision: int = FOLD_REVISION) -> Path:
    """Return where the stored form of *ledger* is kept."""
    return STORED / f"r{revision}" / f"{ledger.stem}.json"


def hashes(article: Article) -> Hashes:
    """Return what a renderer stores of *article*, by the names of its keys."""
    writes, head = replacing(article, (), ()), article.head
    state = {"version": str(head.version), "chain": head.chain, "rev": str(FOLD_REVISION)}
    if writes.body:
        state["body"] = writes.body
    pointers = {each.update_id: update_ref(each) for each in writes.updates}
    return {
        "state": {**state, "head": dump_head(head).decode()},
        "updates": {**{ref: data.decode() for ref, data in writes.ahead.items()}, **pointers},
        "pages": {str(page): " ".join(refs) for page, refs in writes.pages.items()},
        "changed": {each.update_id: each.changed.version for each in writes.updates},
        "latest": {head.slug: latest_score(head)},
    }


def dump(stored: Mapping[str, Any]) -> bytes:
    return orjson.dumps(stored, option=orjson.OPT_INDENT_2) + b"\n"


def made() -> Iterator[tuple[Path, bytes]]:
    """Yield the place and the bytes of each ledger's stored form, by the present code."""
    for ledger in ledgers():
        yield place(ledger), dump(hashes(article_of(ledger)))
