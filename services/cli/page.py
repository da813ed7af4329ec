"""`writethru page`: an article as a running writethru delivers it, now or as it stood."""

from __future__ import annotations

import asyncio
from typing import Annotated

from typer import Argument, Option

from services.cli.asking import fetch, lend
from services.cli.failure import misused
from services.cli.forms import Format
from services.cli.remote import DELIVER, check_slug
from services.cli.terminal import put

Key = Annotated[
    str | None,
    Option("--key", metavar="KEY", help="An API key that may read; history asks for one."),
]


def command(
    slug: Annotated[str, Argument(metavar="SLUG", help="The article, as in harbour-bridge.")],
    form: Annotated[Format, Option("--format", help="What to print it as.")] = Format.TEXT,
    version: Annotated[
        int | None, Option(metavar="N", min=1, help="The article as it stood at version N.")
    ] = None,
    at: Annotated[
        str | None, Option(metavar="TIME", help="As it stood then, as in 2026-03-01T09:30:00Z.")
    ] = None,
    link: Annotated[
        bool, Option("--link", help="Print a link for a browser instead, good for 15 minutes.")
    ] = False,
    key: Key = None,
    url: Annotated[str, Option("--from", metavar="URL", help="Where deliver is.")] = DELIVER,
) -> None:
    """Print an article as its readers have it, or as they had it.

    A killed article prints as the line that stands in its place.
    """
    article = f"/articles/{check_slug(slug)}"
    if version is not None and at is not None:
        raise misused("name a version or a time, not both")
    if link:
        if version is None:
            raise misused("a link leads to a version; name it with --version")
        put(f"{asyncio.run(lend(url, f'{article}/versions/{version}', key))}\n".encode())
        return
    past = "/versions" if at is not None or version is not None else ""
    number = f"/{version}" if version is not None else ""
    query = f"?at={at.replace('+', '%2B')}" if at is not None else ""
    path = f"{article}{past}{number}.{form.extension}{query}"
    put(asyncio.run(fetch(url, path, key)))
