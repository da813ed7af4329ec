"""The only readers of the clock and makers of secrets; everybody else is told."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds that only grow; for waiting, never for showing."""
    return time.monotonic()


def new_key() -> bytes:
    """Return 32 random bytes."""
    return secrets.token_bytes(32)


def new_secret() -> str:
    """Return 256 random bits as text that a header and a shell take."""
    return secrets.token_urlsafe(32)


def new_name() -> str:
    """Return a short random name of letters and digits."""
    return secrets.token_hex(5)


def chance() -> float:
    """Return a random number from 0 to 1."""
    return secrets.randbelow(2**24) / 2**24
