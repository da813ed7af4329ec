"""The pages that the ledgers in this folder must give, for ever.

`python -m tests.golden` makes them anew, for a change that is meant to give other bytes: look
at the difference, and raise `FOLD_REVISION` if the state is another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from shared.article.article import Article
from shared.article.fold import replay
from shared.article.formats import json, text, whole
from tests.builders import ledger

FOLDER = Path(__file__).parent
#: What `writethru demo` plays; its pages stand here, not with the program.
COVERAGE = FOLDER.parents[1] / "services" / "cli" / "coverage.ndjson"

PUBLIC_URL = "https://news.example"
ENDINGS = ("txt", "json", "md", "ninjs.json", *whole.FEEDS)


def ledgers() -> list[Path]:
    return [*sorted(FOLDER.glob("*.ndjson")), COVERAGE]


def expected(ledger: Path, ending: str) -> Path:
    """Return where the page of *ledger* is kept."""
    return FOLDER / f"{ledger.stem}.{ending}"


def article_of(path: Path) -> Article:
    """Return the article that a ledger gives."""
    events = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return replay(events[0]["subject"], ledger(*events))


def pages(path: Path) -> Mapping[str, str]:
    """Return the pages of a ledger by their files' endings; JSON by lines, to be looked at."""
    article = article_of(path)
    document = _lines(json.dumps(json.article(article)))
    return {"txt": text.page(article), "json": document, **_others(article)}


def _others(article: Article) -> Mapping[str, str]:
    """Return Markdown and feeds, which a killed article has not."""
    if article.head.status == "killed":
        return {}
    forms = ("md", "ninjs.json", *whole.FEEDS)
    found = {form: whole.written(article, form, PUBLIC_URL).decode() for form in forms}
    return found | {form: _lines(found[form]) for form in ("feed.json", "ninjs.json")}


def _lines(document: str | bytes) -> str:
    return orjson.dumps(orjson.loads(document), option=orjson.OPT_INDENT_2).decode() + "\n"


def strays() -> Iterator[Path]:
    """Yield pages whose ledger is gone."""
    stems = {path.stem for path in ledgers()}
    for path in FOLDER.iterdir():
        stem, _, ending = path.name.partition(".")
        if ending in ENDINGS and stem not in stems:
            yield path
