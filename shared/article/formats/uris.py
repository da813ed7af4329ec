"""Addresses as publishers write them, in the form that the standards of others want."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from urllib.parse import quote, urlsplit

_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_IN_USER = "!$&'()*+,;=:%~-._"
_IN_PATH = "/:@!$&'()*+,;=%~-._"
_IN_QUERY = _IN_PATH + "?"


def uri(address: str) -> str | None:
    """Return *address*, which may have any letters, as a URI (RFC 3986; RFC 3987, 3.1).

    None if there is none that leads there: no host, or a port that is no number.
    """
    try:
        parts = urlsplit(_STRAY_PERCENT.sub("%25", address))
        port = parts.port
    except ValueError:
        return None
    host = _host(parts.hostname or "")
    if host is None:
        return None
    user, at, _ = parts.netloc.rpartition("@")
    written = f"{parts.scheme}://{quote(user, _IN_USER)}{at}{host}"
    written += f":{port}" if port is not None else ""
    written += quote(parts.path, _IN_PATH)
    written += f"?{quote(parts.query, _IN_QUERY)}" if parts.query else ""
    return written + (f"#{quote(parts.fragment, _IN_QUERY)}" if parts.fragment else "")


def _host(host: str) -> str | None:
    if ":" not in host:
        return quote(host, "!$&'()*+,;=%~-._") or None
    try:
        return None if "%" in host else f"[{IPv6Address(host)}]"
    except ValueError:
        return None
