"""One document of a source by HTTP: conditional, over redirects, within limits.

Where calls may go is `shared.runtime.fetching`'s to say, at each step of a redirect again.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from services.ingest.core.sources.documents import MAX_DOCUMENT, Document
from services.ingest.sources.outside import OutOfReach, Outside
from shared.runtime.clock import now

if TYPE_CHECKING:
    from shared.runtime.fetching import Answer

MAX_REDIRECTS = 5
#: However long a source would like to be left alone.
LONGEST_REST = 24 * 3_600.0

_OK, _EMPTY, _UNCHANGED, _GONE = 200, 204, 304, 410
_MOVED = frozenset({301, 302, 303, 307, 308})
_AGENT = {"user-agent": "writethru"}
_ACCEPT = {
    "accept": "application/atom+xml, application/rss+xml, application/feed+json, "
    "application/json;q=0.9, application/xml;q=0.8, */*;q=0.5",
    "accept-encoding": "gzip",
}


class Failed(Exception):
    """Nothing could be had; *reason* is a sentence for whoever named the source."""

    def __init__(self, reason: str, rest: float | None = None, *, gone: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rest = rest
        self.gone = gone


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, with what to ask by the next time; None where nothing has changed."""

    document: Document | None
    etag: str = ""
    modified: str = ""


async def fetch(outside: Outside, url: str, etag: str = "", modified: str = "") -> Fetched:
    """Return what is at *url*, unless it is what had *etag*, or was there at *modified*.

    Raises:
        Failed: it can't be had.
    """
    headers = {**_AGENT, **_ACCEPT}
    if etag:
        headers["if-none-match"] = etag
    if modified:
        headers["if-modified-since"] = modified
    where, answer = await _followed(outside, url, headers)
    if answer.status == _UNCHANGED:
        return Fetched(None, etag, modified)
    if answer.status == _EMPTY:
        return Fetched(None)
    body = _whole(answer)
    document = Document(body, where, _charset(answer.headers))
    return Fetched(document, _header(answer, "etag"), _header(answer, "last-modified"))


async def ask(outside: Outside, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Send *body* to an updater and return its answer, which is empty if it has nothing new.

    A redirect is a failure: what is signed is meant for one address.

    Raises:
        Failed: there is none.
    """
    asked = {**_AGENT, "content-type": "application/json", "accept": "application/json", **headers}
    answer = await _sent(outside, "POST", url, asked, body)
    _check(answer)
    return b"" if answer.status == _EMPTY else _whole(answer)


async def _followed(outside: Outside, url: str, headers: Mapping[str, str]) -> tuple[str, Answer]:
    for _ in range(MAX_REDIRECTS + 1):
        answer = await _sent(outside, "GET", url, headers)
        if answer.status not in _MOVED:
            _check(answer)
            return url, answer
        try:
            url = urljoin(url, answer.headers.get("location", "")).partition("#")[0]
        except ValueError:
            raise Failed("it is moved to what is no address") from None
    raise Failed(f"it is moved more than {MAX_REDIRECTS} times; name where it ends")


async def _sent(
    outside: Outside, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
) -> Answer:
    try:
        return await outside.send(method, url, headers, body, MAX_DOCUMENT)
    except OutOfReach as error:
        raise Failed(error.reason) from None


def _check(answer: Answer) -> None:
    status = answer.status
    if status in (_OK, _EMPTY, _UNCHANGED):
        return
    if status == _GONE:
        raise Failed("it answers that it is gone for good (410); remove it", gone=True)
    said = "it wants to be asked later" if status == 429 else "it answers"
    raise Failed(f"{said} ({status})", rest_of(answer.headers, now()))


def rest_of(headers: Mapping[str, str], at: datetime) -> float | None:
    """Return for how many seconds a source asks to be left alone; None if it doesn't.

    `Retry-After` may be seconds or a date.
    """
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said[:9]), LONGEST_REST)
    try:
        until = parsedate_to_datetime(said)
    except (ValueError, TypeError, IndexError):
        return None
    if until.tzinfo is None:
        return None
    return min(max((until - at).total_seconds(), 0.0), LONGEST_REST)


def _whole(answer: Answer) -> bytes:
    """Return the body, unpacked if it was packed; never more than the limit, nor half of it."""
    body, whole = answer.body, answer.whole
    if answer.headers.get("content-encoding", "").strip().lower() in ("gzip", "x-gzip", "deflate"):
        body, whole = _unpacked(body, whole)
    if not whole:
        raise Failed(f"it is larger than {MAX_DOCUMENT // 2**20} MiB")
    return body


def _unpacked(packed: bytes, whole: bool) -> tuple[bytes, bool]:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        body = unpacker.decompress(packed, MAX_DOCUMENT + 1)
    except zlib.error:
        raise Failed("it is packed in a way that can't be read") from None
    return body[:MAX_DOCUMENT], whole and len(body) <= MAX_DOCUMENT and unpacker.eof


def _header(answer: Answer, name: str) -> str:
    """Return a header that we send back; one that is too long for that counts as none."""
    said = answer.headers.get(name, "")
    return said if len(said) <= 1_024 and said.isascii() and said.isprintable() else ""


def _charset(headers: Mapping[str, str]) -> str | None:
    for part in headers.get("content-type", "").split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("'\"") or None
    return None
