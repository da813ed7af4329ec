"""`writethru fold`: the page that an article's events give, by nothing but them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from typer import Argument, Option

from services.cli.failure import Failure, misused
from services.cli.forms import Format
from services.cli.reading import Found, read
from services.cli.terminal import put
from services.ingest.core.bodies import read_event
from services.ingest.core.filing import Filing
from services.ingest.core.legality import explain
from shared.article.article import Article, Entry, Head, newest_numbers
from shared.article.fold import replay
from shared.contract.canonical import fingerprint
from shared.contract.errors import InvalidEvent, Refused
from shared.contract.events import MAX_EVENT_BYTES, Event, parse_event

#: An event with what a ledger adds to it: seq, chain, and the time if it had none.
MAX_FILED_BYTES = MAX_EVENT_BYTES + 1024
#: The field at fault, by the code of a refusal.
_FIELDS = {
    "unknown-update": "/data/update_id",
    "update-exists": "/data/update_id",
    "update-retracted": "/data/update_id",
    "id-conflict": "/id",
    "stale": "/baseversion",
}


def command(
    files: Annotated[
        list[str],
        Argument(
            metavar="FILE",
            help="Events of one article as JSON, a JSON array or NDJSON; several files are read "
            "one after the other, and - is standard input.",
        ),
    ],
    form: Annotated[Format, Option("--format", help="What to print it as.")] = Format.TEXT,
    version: Annotated[
        int | None, Option(metavar="N", min=1, help="Fold the first N accepted events only.")
    ] = None,
) -> None:
    """Print the page that the events of one article give: no server, no Redis.

    The same events give the same bytes on every machine. A duplicate counts once; an event that
    ingest would refuse stops the fold.
    """
    entries = file(read(files))
    if not entries:
        raise Failure("there are no events in what was given")
    if version is not None and version > len(entries):
        raise misused(f"there is no version {version}: these events give {len(entries)}")
    slug = entries[0].event.subject if entries[0].event else ""
    put(page(replay(slug, entries[:version]), form))


def file(events: Iterable[Found]) -> list[Entry]:
    """Number and chain *events* as an installation with an empty key would.

    Raises:
        Failure: on the first that ingest would refuse.
    """
    filing, entries, slug = Filing(), [], None
    for found in events:
        event = _event(found)
        slug = slug or event.subject
        if event.subject != slug:
            raise _complaint(
                found, "invalid", "/subject", f'is "{event.subject}" after "{slug}"; '
                "fold the events of one article at a time"
            )  # fmt: skip
        verdict = filing.take(event, fingerprint(b"", event.envelope))
        if verdict.code == "accepted":
            entries.append(Entry(verdict.seq, verdict.chain or "", event))
        elif verdict.code != "duplicate":
            field = _FIELDS.get(verdict.code, "/subject")
            raise _complaint(found, verdict.code, field, explain(verdict.code, event, verdict.seq))
    return entries


def page(article: Article, form: Format) -> bytes:
    """Return *article* as a reader gets it."""
    if form is Format.HTML:
        return _html(article).encode()
    if article.head.status == "killed":
        return _withdrawn(article.head, form)
    from shared.article.formats import feeds, whole

    return whole.written(article, form.extension, feeds.NOWHERE)


def _withdrawn(head: Head, form: Format) -> bytes:
    from shared.article.formats import json, text

    if form in (Format.JSON, Format.JSON_FEED):
        return json.dumps(json.killed(head))
    return text.withdrawn(head).encode()


def _html(article: Article) -> str:
    from shared.article.formats import html

    head = article.head
    if head.status == "killed":
        return html.killed_page(head)
    newest = newest_numbers(head)
    shown = [
        update
        for update in article.updates.values()
        if update.number in newest or update.update_id == head.pinned
    ]
    return html.article_page(head, article.body, shown, marked=list(article.updates.values()))


def _event(found: Found) -> Event:
    try:
        event = parse_event(read_event(found.text.encode(), MAX_FILED_BYTES))
    except InvalidEvent as invalid:
        first, *others = invalid.errors
        more = f" (and {len(others)} more)" if others else ""
        raise _complaint(found, "invalid", first.pointer, first.detail + more) from None
    except Refused as refused:
        # Its own "line 1" would be taken for the file's.
        detail = refused.detail.replace("line 1, column", "column")
        raise _complaint(found, refused.code, "", detail) from None
    if event.time is None:
        missing = "is missing; a fold has no clock, so give each event its time"
        raise _complaint(found, "invalid", "/time", missing)
    return event


def _complaint(found: Found, code: str, field: str, detail: str) -> Failure:
    at = f"{code} at {field}" if field else code
    return Failure(f"{found.place}: {at}: {detail}")
