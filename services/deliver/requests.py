"""What a request asks for, checked before it becomes a key or a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.deliver.changes import Form, unknown
from services.deliver.core.cursors import parse_mark
from services.deliver.core.negotiation import Format, by_accept, by_ending
from services.deliver.core.topics import Wish
from shared.article.article import Mark
from shared.article.dates import parse_rfc3339
from shared.contract.copy_rules import SLUG, UPDATE_ID
from shared.contract.errors import Refused

_MAX_SLUG = 128
MAX_WAIT_SECONDS = 25
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


def slug_of(request: Request) -> str:
    """Return the slug in the path.

    Raises:
        Refused: no article can have it.
    """
    return checked_slug(request.path_params["slug"])


def checked_slug(slug: str) -> str:
    """Return *slug*, which may become part of a key.

    Raises:
        Refused: no article can have it.
    """
    if len(slug) > _MAX_SLUG or not re.fullmatch(SLUG, slug):
        raise unknown(slug[:_MAX_SLUG])
    return slug


def checked_update_id(update_id: str) -> str:
    """Return *update_id*, which may become the name of a field.

    Raises:
        Refused: no update can have it.
    """
    if not re.fullmatch(UPDATE_ID, update_id):
        raise unknown_update(update_id[:64])
    return update_id


def unknown_update(update_id: str) -> Refused:
    """Return what is said of an update that is not there."""
    return Refused("unknown-update", f"There is no update {update_id} in this article.")


def host_of(request: Request) -> str | None:
    """Return the address from which the reader comes, as far as is known."""
    return request.client.host if request.client else None


def accept_of(request: Request) -> str:
    """Return what the reader says it accepts, on however many lines."""
    return ", ".join(request.headers.getlist("accept"))


def moment_of(request: Request) -> datetime | None:
    """Return the time that ``?at=`` names; None without.

    Raises:
        HTTPException: it is no time.
    """
    given = request.query_params.get("at")
    if given is None:
        return None
    try:
        return parse_rfc3339(given.replace(" ", "+"))  # what an address has for a bare plus
    except ValueError as error:
        raise HTTPException(400, f"at {error}.") from None


def format_of(ending: str | None, accept: str, offered: Sequence[Format]) -> Format:
    """Return the format of *ending*, or without one that *accept* prefers.

    Raises:
        HTTPException: there is no such format.
    """
    how = by_accept(accept, offered) if ending is None else by_ending(ending, offered)
    if how is None and ending is None:
        kinds = ", ".join(each.kind for each in offered)
        raise HTTPException(406, f"This is there as {kinds}; ask for one of these, or for */*.")
    if how is None:
        endings = ", ".join(f".{each.name}" for each in offered)
        raise HTTPException(404, f"This doesn't come as .{ending}; it comes as {endings}.")
    return how


def number_of(text: str) -> int | None:
    """Return a page's number; None if *text* is none."""
    return int(text) if _NUMBER.fullmatch(text) else None


def since_of(request: Request) -> Mark | None:
    """Return the version that the reader says it has; None if it says nothing.

    Raises:
        HTTPException: it is not a version.
    """
    text = request.query_params.get("since")
    if text is None:
        return None
    mark = parse_mark(text)
    if mark is None:
        raise HTTPException(
            400,
            "since must be a version, such as 8, or one with the first twelve characters of its "
            "chain, such as 8.9f86d081884c.",
        )
    return mark


def form_of(request: Request) -> Form:
    """Return the form in which the reader would be told.

    Raises:
        HTTPException: there is no such form.
    """
    match request.query_params.get("form", "json"):
        case "json" | "html" as form:
            return form
    raise HTTPException(400, "form must be json or html.")


def wish_of(request: Request) -> Wish:
    """Return of which articles a reader of all of them would hear.

    Raises:
        HTTPException: a section or tag has no name.
    """
    sections, tags = (frozenset(request.query_params.getlist(of)) for of in ("section", "tag"))
    if "" in sections | tags:
        raise HTTPException(400, "section and tag must have a name; leave them out to hear of all.")
    return Wish(sections, tags)


def wait_of(request: Request) -> int:
    """Return how many seconds the reader would wait for news, 0 if it would not.

    Raises:
        HTTPException: it is not a number.
    """
    text = request.query_params.get("wait", "0")
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise HTTPException(400, f"wait must be seconds, up to {MAX_WAIT_SECONDS}.")
    return min(int(text), MAX_WAIT_SECONDS)
