"""What reads bytes from outside, and what must hold whatever they are.

A target takes bytes and returns; what it raises is a finding. It refuses in the project's own words
or accepts, and what it accepts is looked at by other means than those that accepted it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from services.deliver.core import codings, cursors, etags, frames, links, negotiation, ranges
from services.ingest.core import binary, bodies
from services.ingest.core.bodies import Item
from shared.article.article import Mark
from shared.article.dates import parse_rfc3339, rfc3339
from shared.article.fold import replay
from shared.article.formats import html as pages
from shared.article.formats import text as text_page
from shared.article.formats.citations import linked
from shared.article.markdown import _CLEANER, copy
from shared.contract import signing
from shared.contract.acts import Posted, Published
from shared.contract.canonical import fingerprint
from shared.contract.errors import InvalidEvent, Refused
from shared.contract.events import Event, parse_event
from shared.contract.tracing import read_trace
from shared.runtime.api_keys import parts
from tests.builders import ledger, published
from tests.fuzz.html import check_copy
from tests.fuzz.page import check_page

Check = Callable[[bytes], None]
_PRE = re.compile("<pre>\n+")


@dataclass(frozen=True)
class Target:
    """A check, and its *share* of a campaign's inputs in hundredths."""

    check: Check
    share: int


def one_event(data: bytes) -> None:
    """A body that is one event, and the same as a batch of one and as a line."""
    alone = _first(bodies.one, data)
    line = data.strip()
    if alone.value is not None:
        assert json.loads(data.removeprefix(b"\xef\xbb\xbf")) == alone.value
        array = b"[" + data.removeprefix(b"\xef\xbb\xbf") + b"]"
        assert _first(bodies.batch, array).value == alone.value
        if b"\n" not in line:
            assert _first(bodies.lines, line).value == alone.value
    _judge(alone)


def many_events(data: bytes) -> None:
    """A body of many events: each has a value or a reason, and lines are numbered upwards."""
    for read in (bodies.batch, bodies.lines):
        items = _items(read, data)
        for item in items:
            _judge(item)
        numbers = [item.line for item in items if item.line is not None]
        assert numbers == sorted(set(numbers))


def headers(data: bytes) -> None:
    """An event in `ce-` headers over its data; what is read can be sent once more."""
    head, _, body = data.partition(b"\n\n")
    sent = [_header(line) for line in head.split(b"\n")]
    item = _only(lambda: binary.read(sent, binary.DATA, body))
    _judge(item)
    if item.value is None:
        return
    attributes = {k: v for k, v in item.value.items() if k not in ("data", "datacontenttype")}
    again = [(f"ce-{k}".encode("latin-1"), quote(str(v)).encode()) for k, v in attributes.items()]
    assert _only(lambda: binary.read(again, binary.DATA, body)).value == item.value


def markdown(data: bytes) -> None:
    """A text: its HTML is what is allowed and clean, also with its markers linked."""
    made = copy(data.decode("utf-8", "replace"))
    check_copy(made.html)
    assert _CLEANER.clean(made.html) == made.html.replace("\r", " ")
    assert copy(made.source) == made
    check_copy(linked(made.html, {1: "s1-u1", 8: "s8-u2"}, "-u1", set()))


def cleaner(data: bytes) -> None:
    """The last gate by itself: any HTML comes out clean, and clean again is the same."""
    clean = _CLEANER.clean(data.decode("utf-8", "replace"))
    check_copy(clean)
    # Line breaks at the start of <pre> get fewer each time that HTML is read and written
    assert _PRE.sub("<pre>", _CLEANER.clean(clean)) == _PRE.sub("<pre>", clean)


def page(data: bytes) -> None:
    """An article whose every field says this: the page has the elements it always has."""
    check_page(data.decode("utf-8", "replace"))


def cursor(data: bytes) -> None:
    """Where a reader says it is, and the other small words of a request."""
    text = data.decode("latin-1")
    if mark := cursors.parse_mark(text):
        assert cursors.mark_id(mark).removesuffix(".") == text
    tags = ("a", "b")
    if places := cursors.parse_cursor(tags, text):
        assert cursors.parse_cursor(tags, cursors.cursor(tags, places)) == places
    _frame(data, text)
    tag = etags.strong(Mark(1, "0" * 12), "html", b"")
    assert etags.matches(text, tag) == (text.strip() == "*" or tag in text)
    negotiation.by_accept(text)
    codings.by_accept_encoding(text)
    with suppress(ranges.UnsatisfiableError):
        ranges.part_of(text, 10)
    negotiation.for_errors(text, text)
    read_trace(text, text)
    _time(text)


def link(data: bytes) -> None:
    """A signed link, and a key: nothing opens but what was made for it."""
    secret = links.secret_of(b"installation")
    right = links.Link("harbour-bridge", "0a1b", 2_000_000_000)
    good = dict(pair.split("=") for pair in links.query_of(secret, right)[1:].split("&"))
    assert links.link_of(secret, right.slug, good) == right
    fields = [part.decode("latin-1") for part in data.split(b"\n", 3)]
    query = {**good, **dict(zip(("slug", "expires", "by", "signature"), fields, strict=False))}
    slug = query.pop("slug", right.slug)
    found = links.link_of(secret, slug, query)
    assert found == (right if query == good and slug == right.slug else None)
    token = data.decode("latin-1")
    key_id, of_key = parts(token)
    assert not key_id or token == f"wt_{key_id}_{of_key}"


def webhook(data: bytes) -> None:
    """A signed message: its headers, body or secret spoilt, it is refused, and never crashes."""
    secrets, now = [b"s" * 24, b"t" * 32], 1_700_000_000
    good = ["msg_1", str(now), signing.sign(secrets, "msg_1", now, b"{}"), "{}"]
    _verified(secrets, good, now)
    sent = [part.decode("latin-1") for part in data.split(b"\n", 3)]
    sent += good[len(sent) :]
    same = [*sent[:2], sent[3]] == [*good[:2], good[3]]
    right = {f"v1,{each.partition(',')[2]}" for each in good[2].split(" ")}
    try:
        _verified(secrets, sent, now)
        assert same
        assert right & set(sent[2].split(" "))
    except signing.WrongSignature:
        assert not (same and right & set(sent[2].split(" ")))
    _secret(data.decode("latin-1"))


def _verified(secrets: list[bytes], sent: list[str], now: int) -> None:
    message_id, timestamp, signatures, body = sent
    signing.verify(secrets, message_id, timestamp, signatures, body.encode("latin-1"), now)


def _secret(text: str) -> None:
    try:
        secret = signing.secret_of(text)
    except ValueError:
        return
    assert signing.secret_of(signing.secret_text(secret)) == secret


def _items(read: Callable[[bytes], Iterable[Item]], data: bytes) -> list[Item]:
    try:
        return list(read(data))
    except Refused as refusal:
        return [Item(refusal=refusal)]


def _first(read: Callable[[bytes], Iterable[Item]], data: bytes) -> Item:
    return _items(read, data)[0]


def _only(read: Callable[[], Item]) -> Item:
    try:
        return read()
    except Refused as refusal:
        return Item(refusal=refusal)


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.strip().lower(), value.strip()


def _judge(item: Item) -> None:
    """See that a value is an event that can be kept and shown, or is refused by its fields."""
    assert (item.value is None) != (item.refusal is None)
    if item.value is None:
        return
    try:
        event = parse_event(item.value)
    except InvalidEvent:
        return
    _keep(event)


def _keep(event: Event) -> None:
    again = parse_event(orjson.loads(orjson.dumps(event.envelope)))
    assert (again.act, again.id, again.time) == (event.act, event.id, event.time)
    assert fingerprint(b"", event.envelope) == fingerprint(b"", again.envelope)
    envelope = {**event.envelope, "subject": "harbour-bridge"}
    opening = [] if isinstance(event.act, Published) else [published()]
    shown = replay("harbour-bridge", ledger(*opening, envelope))
    assert shown.head.version == len(opening) + 1
    text_page.page(shown)
    if isinstance(event.act, Published | Posted):
        updates = tuple(shown.updates.values())
        pages.article_page(shown.head, shown.body, updates, marked=updates)


def _frame(data: bytes, text: str) -> None:
    """Whatever stands in an event's data and id is had back by a program, or refused."""
    try:
        made = frames.event("change", data, text)
    except ValueError:
        assert re.search("[\n\r\0]", text)
        return
    lines = frames.bare(made).decode("utf-8", "surrogateescape").split("\n")
    fields: Mapping[str, str] = dict(line.split(": ", 1) for line in lines if line)
    assert lines[-2:] == ["", ""]
    assert fields["data"].encode("utf-8", "surrogateescape") == data
    assert fields.get("id", "") == text


def _time(text: str) -> None:
    try:
        when = parse_rfc3339(text)
    except ValueError:
        return
    assert parse_rfc3339(rfc3339(when)) == when


TARGETS: Mapping[str, Target] = {
    "one-event": Target(one_event, 30),
    "many-events": Target(many_events, 12),
    "headers": Target(headers, 12),
    "markdown": Target(markdown, 5),
    "cleaner": Target(cleaner, 12),
    "page": Target(page, 1),
    "cursor": Target(cursor, 14),
    "link": Target(link, 7),
    "webhook": Target(webhook, 7),
}
