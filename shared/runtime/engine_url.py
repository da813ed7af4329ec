"""Where the engine is: one server, a primary that sentinels know, or a cluster.

    redis://[user:password@]host:port[/db]
    redis+sentinel://[user:password@]host:port,host:port/service[/db]
    redis+cluster://[user:password@]host:port,host:port

`rediss` in place of `redis` is the same over TLS; what follows a `?` is for each connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from redis.exceptions import RedisError

Kind = Literal["alone", "sentinel", "cluster"]
Address = tuple[str, int]

FORMS = {
    "alone": "redis://user:password@host:6379/0",
    "sentinel": "redis+sentinel://user:password@host:26379,host:26379/service",
    "cluster": "redis+cluster://user:password@host:6379,host:6379",
}
_PORTS = {"alone": 6_379, "sentinel": 26_379, "cluster": 6_379}
_URL = re.compile(
    r"(?P<scheme>rediss?)(?:\+(?P<kind>sentinel|cluster))?://"
    r"(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^@/?#]*)(?:/(?P<path>[^?#]*))?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\[\]:,]*)(?::(?P<port>[0-9]{1,5}))?")


class WrongEngineError(RedisError):
    """What answers is not what the URL says that it is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class EngineUrl:
    """An address, taken apart. *nodes* are those that are asked first: sentinels, or any nodes.

    *login* is `user:password`, as it stands in the URL; *path* is the database.
    """

    kind: Kind
    scheme: str
    login: str
    nodes: tuple[Address, ...]
    service: str = ""
    path: str = ""
    query: str = ""

    def at(self, host: str, port: int) -> str:
        """Return the address of one server of it."""
        login = f"{self.login}@" if self.login else ""
        shown = f"[{host}]" if ":" in host else host
        path = f"/{self.path}" if self.path else ""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{login}{shown}:{port}{path}{query}"

    def over(self, login: str) -> str:
        """Return the whole address for somebody else's *login*."""
        hosts = ",".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in self.nodes)
        kind = "" if self.kind == "alone" else f"+{self.kind}"
        path = "".join(f"/{part}" for part in (self.service, self.path) if part)
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}{kind}://{f'{login}@' if login else ''}{hosts}{path}{query}"


def parse_engine_url(url: str) -> EngineUrl:
    """Take *url* apart.

    Raises:
        ValueError: it is not of a form that we know; the message says which would be.
    """
    found = _URL.fullmatch(url)
    kind: Kind = (found and found["kind"]) or "alone"  # type: ignore[assignment]
    if found is None:
        raise _malformed(kind)
    nodes = tuple(_nodes(found["hosts"], kind))
    service, path = _place(kind, found["path"] or "")
    if kind == "alone" and len(nodes) > 1:
        raise ValueError(
            f"names several servers; write {FORMS['sentinel']} or {FORMS['cluster']} for those"
        )
    return EngineUrl(
        kind, found["scheme"], found["user"] or "", nodes, service, path, found["query"] or ""
    )


def _nodes(hosts: str, kind: Kind) -> Iterator[Address]:
    for host in hosts.split(","):
        found = _HOST.fullmatch(host)
        port = int((found and found["port"]) or _PORTS[kind])
        if found is None or port > 65_535 or (not found["host"] and kind != "alone"):
            raise _malformed(kind)
        yield unquote(found["host"]).strip("[]") or "localhost", port


def _place(kind: Kind, path: str) -> tuple[str, str]:
    """Return service and database."""
    if kind == "alone":
        return "", path
    if kind == "cluster":
        if path.strip("/") not in ("", "0"):
            raise ValueError("names a database, and a cluster has only one; leave it out")
        return "", ""
    service, _, database = path.partition("/")
    if not service or (database and not database.isdecimal()):
        raise ValueError(f"must name the service that the sentinels know: {FORMS['sentinel']}")
    return service, database


def _malformed(kind: Kind) -> ValueError:
    return ValueError(f"must be of the form {FORMS[kind]}, what is special in them as %2F")
