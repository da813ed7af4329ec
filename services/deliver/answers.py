"""What goes back: representations with their validators, and errors in the reader's own format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.deliver.core.caching import (
    BESIDE,
    KILLED,
    LATEST,
    LIVE,
    MISSING,
    SETTLED,
    UNKEPT,
    Keeping,
    headers_of,
    key_of,
)
from services.deliver.core.etags import matches, strong
from services.deliver.core.negotiation import (
    FRAGMENT,
    HTML,
    JSON,
    TEXT,
    Format,
    for_errors,
    kindred,
)
from services.deliver.core.ranges import UnsatisfiableError, part_of
from services.deliver.requests import accept_of
from shared.article.article import Head, Mark
from shared.article.formats import html, json, text
from shared.contract.canonical import short
from shared.contract.errors import WritethruError
from shared.runtime.metrics import count
from shared.runtime.problems import MEDIA_TYPE, problem, seconds_after

_ARTICLE = re.compile(r"/articles/([a-z0-9-]{1,128})(?:[./]|$)")
#: Whether there is something may depend on a key.
_KEYED = re.compile(r"/articles/[^/]+/versions|/v1/")
_NO_MARK = Mark()


@dataclass(frozen=True, slots=True)
class Answer:
    """A representation, ready to be sent to any number of readers. *format* is for the metrics.

    *keys* are those by which shared caches let go of it; *mark* is the article's, if it is of one.
    """

    body: bytes
    media_type: str
    format: str
    status: int = 200
    etag: str | None = None
    keeping: Keeping = LIVE
    keys: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    mark: Mark = _NO_MARK

    @property
    def size(self) -> int:
        """Bytes, with some for what is around the body."""
        return len(self.body) + 512


def representation(head: Head, how: Format, body: str | bytes) -> Answer:
    """Return *body*, the article of *head* written as *how*."""
    data = body.encode() if isinstance(body, str) else body
    keeping = {"live": LIVE, "closed": SETTLED, "killed": KILLED}[head.status]
    status = 410 if head.status == "killed" else 200
    # Its page shows headlines of other articles, too.
    keys = (key_of(head.slug), BESIDE) if how is HTML else (key_of(head.slug),)
    mark = Mark(head.version, short(head.chain))
    etag = strong(mark, how.name, data)
    return Answer(data, how.media_type, how.name, status, etag, keeping, keys, mark=mark)


def listing(how: Format, body: str | bytes) -> Answer:
    """Return *body*, a list of articles written as *how*."""
    data = body.encode() if isinstance(body, str) else body
    etag = strong(Mark(), how.name, data)
    return Answer(data, how.media_type, how.name, etag=etag, keys=(LATEST,))


def withdrawal(head: Head, how: Format) -> Answer:
    """Return what stands in a killed article's place: 410, in words for whoever asked for *how*."""
    how = kindred(how)
    if how is FRAGMENT:
        return representation(head, how, html.killed_fragment(head))
    if how is JSON:
        return representation(head, how, json.dumps(json.killed(head)))
    return representation(head, how, (text.withdrawn if how is TEXT else html.killed_page)(head))


def gone(head: Head, document: bytes) -> Answer:
    """Return the 410 of an article that was killed, as who follows it is told."""
    return representation(head, JSON, document)


async def respond(request: Request, answer: Answer, *, varies: bool = False) -> Response:
    """Send *answer* in the coding that the reader prefers, or 304 to one who has it.

    *varies*: it was chosen by Accept.
    """
    answer = await request.app.state.codings.preferred(request, answer)
    headers = headers_of(answer.keeping, answer.keys) | dict(answer.headers)
    headers["vary"] = ", ".join(_varying(headers, varies))
    if answer.etag:
        headers["etag"] = answer.etag
    if answer.etag and answer.status == HTTPStatus.OK:
        if matches(_said(request, "if-none-match"), answer.etag):
            count_answer(answer.format, 304)
            headers.pop("content-encoding", None)
            return Response(status_code=304, headers=headers)
        headers["accept-ranges"] = "bytes"
        if request.method == "GET" and _said(request, "if-range") in ("", answer.etag):
            return _whole_or_part(request, answer, headers)
    return _sent(answer, answer.body, answer.status, headers)


def _varying(headers: Mapping[str, str], varies: bool) -> list[str]:
    own = [headers["vary"]] if "vary" in headers else []
    return [*(["Accept"] if varies else []), "Accept-Encoding", *own]


def _said(request: Request, name: str) -> str:
    return ", ".join(request.headers.getlist(name))


def _whole_or_part(request: Request, answer: Answer, headers: dict[str, str]) -> Response:
    size = len(answer.body)
    try:
        part = part_of(_said(request, "range"), size)
    except UnsatisfiableError:
        count_answer(answer.format, 416)
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{size}"})
    if part is None:
        return _sent(answer, answer.body, 200, headers)
    headers["content-range"] = f"bytes {part.first}-{part.last}/{size}"
    return _sent(answer, answer.body[part.first : part.last + 1], 206, headers)


def _sent(answer: Answer, body: bytes, status: int, headers: dict[str, str]) -> Response:
    count_answer(answer.format, status)
    return Response(body, status, {**headers, "content-type": answer.media_type})


def count_answer(format_name: str, status: int) -> None:
    """Count one answer."""
    count("writethru_answers_total", format=format_name, status=str(status))


def refuse(request: Request, error: WritethruError) -> Response:
    """Say what *error* says, in the format that was asked for."""
    headers: dict[str, str] = {}
    if (after := seconds_after(error)) is not None:
        headers["retry-after"] = str(after)
    if error.code == "unauthenticated":
        headers["www-authenticate"] = "Bearer"
    document = problem(error)
    return _described(request, document["status"], document, headers)


def refuse_request(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Say that the request itself can't be met; such errors have no code of their own."""
    title = HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return _described(request, status, document, headers or {})


def _described(
    request: Request, status: int, document: dict[str, Any], headers: Mapping[str, str]
) -> Response:
    how = for_errors(request.url.path, accept_of(request))
    count_answer(how.name, status)
    title, detail = document["title"], document["detail"]
    if how is JSON:
        body, media_type = json.dumps(document), MEDIA_TYPE
    elif how is HTML:
        body, media_type = html.error_page(status, title, detail).encode(), how.media_type
    else:
        body, media_type = f"{status} {title}. {detail}\n".encode(), how.media_type
    missing = status == HTTPStatus.NOT_FOUND and not _KEYED.match(request.url.path)
    keeping = headers_of(MISSING, _keys_at(request)) if missing else headers_of(UNKEPT, ())
    said = {**keeping, **headers, "content-type": media_type, "vary": "Accept"}
    return Response(body, status, said)


def _keys_at(request: Request) -> Sequence[str]:
    """Return the key of the article that the path names, which may be there in a moment."""
    named = _ARTICLE.match(request.url.path)
    return [key_of(named[1])] if named else []
