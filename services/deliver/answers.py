"""What goes back: representations with their validators, and errors in the reader's own format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.deliver.core.etags import matches, strong
from services.deliver.core.negotiation import HTML, JSON, TEXT, Format, for_errors, kindred
from services.deliver.requests import accept_of
from shared.article.article import Head, Mark
from shared.article.formats import html, json, text
from shared.contract.errors import WritethruError
from shared.runtime.metrics import count
from shared.runtime.problems import MEDIA_TYPE, problem, seconds_after

#: Kept by browsers and caches, and asked about each time: a kill must reach every copy.
REVALIDATED = "public, max-age=0, must-revalidate"
UNKEPT = "no-store"


@dataclass(frozen=True, slots=True)
class Answer:
    """A representation, ready to be sent to any number of readers. *format* is for the metrics."""

    body: bytes
    media_type: str
    format: str
    status: int = 200
    etag: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes, with some for what is around the body."""
        return len(self.body) + 512


def representation(mark: Mark, how: Format, body: str | bytes, *, status: int = 200) -> Answer:
    """Return *body*, an article at *mark* written as *how*."""
    data = body.encode() if isinstance(body, str) else body
    return Answer(data, how.media_type, how.name, status, strong(mark, how.name, data))


def withdrawal(head: Head, how: Format) -> Answer:
    """Return what stands in a killed article's place: 410, in words for whoever asked for *how*."""
    how = kindred(how)
    mark = Mark(head.version, head.chain[:12])
    if how is JSON:
        return representation(mark, how, json.dumps(json.killed(head)), status=410)
    write = text.withdrawn if how is TEXT else html.killed_page
    return representation(mark, how, write(head), status=410)


def gone(mark: Mark, document: bytes) -> Answer:
    """Return the 410 of an article that was killed at *mark*, as who follows it is told."""
    return representation(mark, JSON, document, status=410)


def respond(request: Request, answer: Answer, *, varies: bool = False) -> Response:
    """Send *answer*, or 304 to one who has it. *varies*: it was chosen by Accept."""
    headers = {"cache-control": REVALIDATED, **answer.headers}
    if varies:
        headers["vary"] = "Accept"
    if answer.etag:
        headers["etag"] = answer.etag
        known = ", ".join(request.headers.getlist("if-none-match"))
        if answer.status == HTTPStatus.OK and matches(known, answer.etag):
            count_answer(answer.format, 304)
            return Response(status_code=304, headers=headers)
    count_answer(answer.format, answer.status)
    headers["content-type"] = answer.media_type
    return Response(answer.body, answer.status, headers)


def count_answer(format_name: str, status: int) -> None:
    """Count one answer."""
    count("writethru_answers_total", format=format_name, status=str(status))


def refuse(request: Request, error: WritethruError) -> Response:
    """Say what *error* says, in the format that was asked for."""
    headers = {"cache-control": UNKEPT}
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
    return _described(request, status, document, {"cache-control": UNKEPT, **(headers or {})})


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
    return Response(body, status, {**headers, "content-type": media_type, "vary": "Accept"})
