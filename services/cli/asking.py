"""What commands ask of deliver: one answer, or one line that says why there is none."""

from __future__ import annotations

from typing import Any

import httpx2
import orjson

from services.cli.failure import Failure
from services.cli.remote import client, unreachable

_FROM = "--from"


async def fetch(url: str, path: str, key: str | None = None) -> bytes:
    """Return what deliver at *url* has at *path*; of a killed article what stands in its place.

    Raises:
        Failure: it has nothing there, or not for who brings *key*.
    """
    answer = await _ask(url, "GET", path, key)
    if answer.status_code == httpx2.codes.NOT_FOUND and "There is no article" in answer.text:
        slug = path.split("/")[2].partition(".")[0]
        raise Failure(f"there is no article {slug} at {url}; {url}/ lists those there are")
    return _content(url, answer, key)


async def lend(url: str, path: str, key: str | None = None) -> str:
    """Return a link to *path* that a browser can follow for some minutes. Raises as `fetch`."""
    answer = await _ask(url, "POST", "/v1/links", key, orjson.dumps({"path": path}))
    return str(orjson.loads(_content(url, answer, key))["url"])


async def _ask(
    url: str, method: str, path: str, key: str | None, body: bytes | None = None
) -> httpx2.Response:
    headers = {"accept": "application/json"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    async with client(url, _FROM) as deliver:
        try:
            return await deliver.request(method, path, content=body, headers=headers)
        except httpx2.TransportError:
            raise unreachable(url, _FROM) from None


def _content(url: str, answer: httpx2.Response, key: str | None) -> bytes:
    if answer.is_success or answer.status_code == httpx2.codes.GONE:
        return answer.content
    if answer.status_code == httpx2.codes.UNAUTHORIZED and key is None:
        raise Failure("this takes a key that may read the article; name it with --key")
    if answer.status_code < httpx2.codes.INTERNAL_SERVER_ERROR and (said := _detail(answer)):
        raise Failure(said)
    raise Failure(f"{url} answers {answer.status_code}; ask its operator, or try again shortly")


def _detail(answer: httpx2.Response) -> str | None:
    """Return the sentence of a problem, in whichever form it came."""
    try:
        found: Any = orjson.loads(answer.content)
        return str(found["detail"])
    except (ValueError, LookupError, TypeError):
        kind = answer.headers.get("content-type", "")
        return answer.text.strip() if kind.startswith("text/plain") else None
