"""`writethru page`: an article as a running writethru delivers it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import httpx2
from typer import Argument, Option

from services.cli.failure import Failure
from services.cli.forms import Format
from services.cli.remote import DELIVER, check_slug, client, unreachable
from services.cli.terminal import put


def command(
    slug: Annotated[str, Argument(metavar="SLUG", help="The article, as in harbour-bridge.")],
    form: Annotated[Format, Option("--format", help="What to print it as.")] = Format.TEXT,
    url: Annotated[str, Option("--from", metavar="URL", help="Where deliver is.")] = DELIVER,
) -> None:
    """Print an article as its readers have it now.

    A killed article prints as the line that stands in its place.
    """
    put(asyncio.run(_fetch(check_slug(slug), form, url)))


async def _fetch(slug: str, form: Format, url: str) -> bytes:
    async with client(url, "--from") as deliver:
        try:
            answer = await deliver.get(f"/articles/{slug}.{form.extension}")
        except httpx2.TransportError:
            raise unreachable(url, "--from") from None
    if answer.status_code in (httpx2.codes.OK, httpx2.codes.GONE):
        return answer.content
    if answer.status_code == httpx2.codes.NOT_FOUND:
        raise Failure(f"there is no article {slug} at {url}; {url}/ lists those there are")
    raise Failure(f"{url} answers {answer.status_code}; ask its operator, or try again shortly")
