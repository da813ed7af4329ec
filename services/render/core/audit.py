"""What is stored against what the ledger says, in sentences. They never quote copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.render.core.filed import Filed
from services.render.core.redactions import MASKED
from services.render.core.writes import latest_score, replacing
from shared.article.article import Article, Head
from shared.article.fold import FOLD_REVISION
from shared.article.stored import dump_head, link_of, update_ref
from shared.contract import acts
from shared.contract.canonical import fingerprint, link


@dataclass(frozen=True, slots=True)
class Kept:
    """All that the engine keeps of an article beside its ledger, read at one version."""

    filed: Filed
    chain: str
    seen: Mapping[bytes, bytes]
    state: Mapping[bytes, bytes]
    updates: Mapping[bytes, bytes]
    pages: Mapping[bytes, bytes]
    changed: Mapping[bytes, float]
    noted: Mapping[bytes, float]
    key_events: Mapping[bytes, float]
    latest: float | None


def ledger_faults(key: bytes, records: Sequence[bytes], kept: Kept) -> Iterator[str]:
    """Yield what is wrong with the ledger itself, and with what was filed beside it."""
    chain = ""
    seen: dict[bytes, bytes] = {}
    for seq, record in enumerate(records, start=1):
        try:
            entry, its = orjson.loads(record), link_of(record)
        except ValueError:
            yield f"ledger: place {seq} holds no entry"
            continue
        if its.seq != seq:
            yield f"ledger: place {seq} holds seq {its.seq}"
        if fault := _text_fault(key, records, entry, its.fingerprint):
            yield f"ledger: {fault.format(seq)}"
        chain = link(chain, seq, its.fingerprint)
        if its.chain != chain:
            yield f"ledger: the chain breaks at event {seq}"
        name = f"{entry['event']['id']} {entry['event']['source']}".encode()
        if name in seen:
            yield f"ledger: event {seq} is event {seen[name].split()[0].decode()} once more"
        seen[name] = f"{seq} {its.chain} {its.fingerprint}".encode()
    if kept.filed.seq != len(records):
        yield f"article: {kept.filed.seq} events were accepted, {len(records)} are there"
    elif kept.chain != chain:
        yield "article: its chain is not the ledger's"
    # Of what is held or was spiked, the ledger knows nothing.
    filed = {name: value for name, value in kept.seen.items() if b" - " not in value}
    yield from _different("seen", seen, filed)


def _text_fault(
    key: bytes, records: Sequence[bytes], entry: Mapping[str, Any], its: str
) -> str | None:
    """Say what is wrong with what an event says, where its fingerprint is *its*."""
    if "redacted" in entry:
        known = _is_redaction(records, entry)
        return None if known else "no event redacts event {}, whose text is gone"
    return (
        None
        if its == _fingerprint(key, entry)
        else "the fingerprint of event {} is not the event's"
    )


def held_faults(
    seen: Mapping[bytes, bytes], holds: Iterable[bytes], due: float | None
) -> Iterator[str]:
    """Yield what is wrong with the events that are held, by their names; *due*: when one is."""
    known = {name for name, value in seen.items() if value.startswith(b"held ")}
    yield from (f"held: {name.decode()} is not there" for name in sorted(known - set(holds)))
    yield from (f"held: {name.decode()} is not known" for name in sorted(set(holds) - known))
    if known and due is None:
        yield "held: nobody would look when it is due"


def redactions(records: Sequence[bytes]) -> dict[int, int]:
    """Return the seqs of redacted events, and of the events that redact them."""
    return {int(found[1]): int(found[2]) for each in records if (found := MASKED.match(each))}


def _is_redaction(records: Sequence[bytes], entry: Mapping[str, Any]) -> bool:
    """Whether the event that *entry* names redacts its update: a mark alone hides nothing."""
    try:
        by = orjson.loads(records[entry["redacted"] - 1])["event"]
        update = entry["event"]["data"].get("update_id", entry["event"]["id"])
        return bool(by["type"] == acts.Redacted.wire and by["data"]["update_id"] == update)
    except (ValueError, LookupError, TypeError):
        return False


def _fingerprint(key: bytes, entry: Mapping[str, Any]) -> str:
    """Fingerprint the event as it was sent: without the time that ingest filled in."""
    event = entry["event"]
    if entry["clocked"]:
        event = {name: value for name, value in event.items() if name != "time"}
    return fingerprint(key, event)


@dataclass(frozen=True, slots=True)
class Expected:
    """All that should be stored of an article: its *head*, and the keys' contents by name."""

    head: Head
    state: Mapping[bytes, bytes]
    contents: Mapping[str, Mapping[bytes, Any]]


def expected_of(article: Article) -> Expected:
    """Return what should be stored of *article*, which is the fold of a ledger."""
    writes = replacing(article, (), ())
    state = {b"head": dump_head(article.head)} | (
        {b"body": writes.body.encode()} if writes.body else {}
    )
    updates = {name.encode(): value for name, value in writes.ahead.items()}
    for each in writes.updates:
        updates[each.update_id.encode()] = update_ref(each).encode()
    contents: dict[str, Mapping[bytes, Any]] = {
        "updates": updates,
        "pages": {
            str(page).encode(): " ".join(refs).encode() for page, refs in writes.pages.items()
        },
        "changed": {each.update_id.encode(): each.changed.version for each in writes.updates},
        "noted": {each.update_id.encode(): each.noted for each in writes.updates if each.noted},
        "key_events": {
            each.update_id.encode(): each.number for each in writes.updates if each.key_event
        },
    }
    return Expected(article.head, state, contents)


def state_faults(expected: Expected, kept: Kept) -> Iterator[str]:
    """Yield where what is stored is not *expected*."""
    head = expected.head
    if kept.filed.version != kept.filed.seq:
        yield f"article: version {kept.filed.version} of {kept.filed.seq}"
    # No copy is left of a killed article, so none is folded anew for a newer revision.
    rev = min(kept.filed.rev, FOLD_REVISION) if head.status == "killed" else FOLD_REVISION
    if (kept.filed.version, kept.filed.chain, kept.filed.rev) != (head.version, head.chain, rev):
        yield f"article: it is not at version {head.version}, its chain and fold {FOLD_REVISION}"
    state = {
        **expected.state,
        b"version": str(head.version).encode(),
        b"chain": head.chain.encode(),
        b"rev": str(rev).encode(),
    }
    # How often it was refolded is no ledger's to say.
    found = {name: value for name, value in kept.state.items() if name != b"refolded"}
    yield from _different("state", state, found)
    for key, contents in expected.contents.items():
        yield from _different(key, contents, getattr(kept, key))
    score = latest_score(head)
    if kept.latest != (float(score) if score is not None else None):
        yield "latest: it stands at another time"


def _different(
    key: str, expected: Mapping[bytes, Any], found: Mapping[bytes, Any]
) -> Iterator[str]:
    if expected == found:
        return
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"{key}: {name.decode()} is missing"
        elif name not in expected:
            yield f"{key}: {name.decode()} should not be there"
        elif expected[name] != found[name]:
            yield f"{key}: {name.decode()} differs"
