"""The form in which an installation moves: lines of JSON, each of which says what it is.

    {"writethru":"export","format":1,"schema":1,"articles":1,"key":"9f…"}
    {"installation_key":"5d…"}, if it was asked for
    {"article":"harbour-bridge","seq":17,"chain":"9f…"}
    … the article's 17 ledger entries, each one line, to the byte …
    {"held":"update-9 /newsroom/cms","of":"harbour-bridge","record":"…"}
    {"api_key":"0a1b…","record":{…}}
    {"end":true,"articles":1,"events":17,"held":1}

`key` tells one installation's key from another's, and nothing of it. docs/operations.md is the
documentation; a change of what a line means raises FORMAT.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from services.cli.failure import Failure

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Header:
    """What is to come: how many *articles*, of which *schema*, under the installation's *key*."""

    articles: int
    schema: int
    key: str

    def line(self) -> bytes:
        """Return it as it is written."""
        return _line(
            writethru="export", format=FORMAT, schema=self.schema, articles=self.articles,
            key=self.key,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class InstallationKey:
    """The key itself, where the export is to hold it."""

    key: bytes

    def line(self) -> bytes:
        """Return it as it is written."""
        return _line(installation_key=self.key.hex())


@dataclass(frozen=True, slots=True)
class History:
    """An article: its ledger's entries up to *seq*, where the chain is *chain*."""

    slug: str
    seq: int
    chain: str
    records: tuple[bytes, ...] = ()

    def line(self) -> bytes:
        """Return what stands before the entries."""
        return _line(article=self.slug, seq=self.seq, chain=self.chain)


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """An event of *slug* that has no seq yet, by its *name*, as it is kept."""

    slug: str
    name: str
    record: bytes

    def line(self) -> bytes:
        """Return it as it is written: the record as text, for its bytes count."""
        return _line(held=self.name, of=self.slug, record=self.record.decode())


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key as it is kept: without its secret, of which there is only a hash."""

    key_id: str
    record: bytes

    def line(self) -> bytes:
        """Return it as it is written."""
        return _line(api_key=self.key_id, record=orjson.Fragment(self.record))


@dataclass(frozen=True, slots=True)
class End:
    """The last line, without which something is missing."""

    articles: int
    events: int
    held: int

    def line(self) -> bytes:
        """Return it as it is written."""
        return _line(end=True, articles=self.articles, events=self.events, held=self.held)


Part = Header | InstallationKey | History | HeldRecord | KeyRecord | End


def key_check(key: bytes) -> str:
    """Return what tells *key* from others and says nothing of it."""
    return hmac.new(key, b"writethru export", hashlib.sha256).hexdigest()[:16]


def parts(lines: Iterator[bytes]) -> Iterator[Part]:
    """Yield what *lines* say, article by article.

    Raises:
        Failure: it is no export, of a newer format, or not all of it is there.
    """
    try:
        yield from _parts(lines)
    except (LookupError, TypeError, ValueError):
        raise Failure("the export has a line that is not as it should be") from None


def _parts(lines: Iterator[bytes]) -> Iterator[Part]:
    yield _header(next(lines, b""))
    articles = events = held = 0
    for number, line in enumerate(lines, start=1):
        facts = _read(line, f"line {number + events + 1}")
        if "article" in facts:
            history = _history(facts, lines)
            articles, events = articles + 1, events + history.seq
            yield history
        elif "end" in facts:
            if (facts["articles"], facts["events"], facts["held"]) != (articles, events, held):
                raise Failure("the export says that it holds more than there is in it")
            yield End(articles, events, held)
            return
        elif "held" in facts:
            held += 1
            yield HeldRecord(facts["of"], facts["held"], facts["record"].encode())
        elif "installation_key" in facts:
            yield InstallationKey(bytes.fromhex(facts["installation_key"]))
        elif "api_key" in facts:
            yield KeyRecord(facts["api_key"], orjson.dumps(facts["record"]))
    raise Failure(
        f"the export breaks off after {articles} whole articles, which are taken in; "
        "get the whole file and run the same command again"
    )


def _header(line: bytes) -> Header:
    facts = _read(line, "its first line")
    if facts.get("writethru") != "export":
        raise Failure("this is no export of writethru")
    if facts["format"] > FORMAT:
        raise Failure(
            f"the export is of format {facts['format']}, and this writethru knows {FORMAT}; "
            "import it with a newer writethru"
        )
    return Header(facts["articles"], facts["schema"], facts["key"])


def _history(facts: dict[str, Any], lines: Iterator[bytes]) -> History:
    records = []
    for _ in range(facts["seq"]):
        line = next(lines, b"")
        if not line.endswith(b"\n"):
            raise Failure(
                f"the export breaks off within the article {facts['article']}; "
                "get the whole file and run the same command again"
            )
        records.append(line[:-1])
    return History(facts["article"], facts["seq"], facts["chain"], tuple(records))


def _read(line: bytes, where: str) -> dict[str, Any]:
    try:
        facts = orjson.loads(line)
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise Failure(f"{where} is not one of an export: it should be a JSON object")
    return facts


def _line(**facts: Any) -> bytes:
    return orjson.dumps(facts) + b"\n"
