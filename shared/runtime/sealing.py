"""Secrets of others that we have to keep and use again: encrypted where they are stored.

AES-256-GCM under a key that follows from the installation's, and from the operator's own if
`WRITETHRU_SEALING_KEY` is set: then whoever has the engine's data alone has no secret. What a
secret belongs to is sealed in, so that it can't be put in another one's place.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = "s1"
_NONCE = 12


class SealError(Exception):
    """A sealed secret can't be opened; says why, never what is in it."""


class Seal:
    """Seals and opens. A sealed secret is text: version, mark of the key, nonce and ciphertext."""

    def __init__(self, installation_key: bytes, operators_key: str | None = None) -> None:
        stretched = hashlib.sha256(operators_key.encode()).digest() if operators_key else b""
        key = hmac.digest(installation_key, b"writethru: sealed secrets\0" + stretched, "sha256")
        self._cipher = AESGCM(key)
        self._mark = hmac.digest(key, b"writethru: mark of the key", "sha256").hex()[:8]

    def seal(self, secret: bytes, owner: str) -> str:
        """Return *secret* as text that only `unseal` with the same *owner* opens."""
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, secret, self._bound(owner))
        return f"{_VERSION}.{self._mark}.{urlsafe_b64encode(sealed).decode()}"

    def unseal(self, text: str, owner: str) -> bytes:
        """Return what was sealed for *owner*.

        Raises:
            SealError: it was not, or was changed, or was sealed under another key.
        """
        version, _, rest = text.partition(".")
        mark, _, payload = rest.partition(".")
        if version != _VERSION or not payload:
            raise SealError("this is no sealed secret, or one of a newer writethru")
        if mark != self._mark:
            raise SealError(
                "the secret was sealed under another key; set WRITETHRU_SEALING_KEY to what it was"
            )
        try:
            sealed = urlsafe_b64decode(payload.encode())
            if urlsafe_b64encode(sealed).decode() != payload:
                raise ValueError
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound(owner))
        except (ValueError, InvalidTag):
            raise SealError("the sealed secret was changed, or belongs to another owner") from None

    def _bound(self, owner: str) -> bytes:
        return f"{_VERSION}\n{self._mark}\n{owner}".encode()
