"""Signatures of what is sent to others, after Standard Webhooks. Pure.

What is signed is id, time and body, so none of them can be exchanged. A receiver takes a message
if one of the signatures fits, which is what lets two secrets be valid while one replaces the
other. See https://www.standardwebhooks.com.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence

#: How far a message's time may lie from the receiver's, in seconds, to both sides.
TOLERANCE = 5 * 60
PREFIX = "whsec_"
#: How many bytes a secret may have.
SHORTEST, LONGEST = 24, 64

_VERSION = "v1"


class WrongSignature(ValueError):
    """The message is not what a holder of the secret signed, or not now; says which."""


def sign(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one signature for each of *secrets*.

    *timestamp* is in seconds, and goes into `webhook-timestamp` as it is.
    """
    return " ".join(
        f"{_VERSION},{_signature(secret, message_id, str(timestamp), body)}" for secret in secrets
    )


def verify(
    secrets: Sequence[bytes],
    message_id: str,
    timestamp: str,
    signatures: str,
    body: bytes,
    now: int,
) -> None:
    """Check a message by the values of its three headers, at the receiver's time *now*.

    Raises:
        WrongSignature: nobody who has one of *secrets* sent it, or it is older than `TOLERANCE`.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= len("253402300799")):
        raise WrongSignature("webhook-timestamp is not a number of seconds")
    given = [
        value.encode()
        for version, _, value in (each.partition(",") for each in signatures.split(" "))
        if version == _VERSION
    ]
    expected = [_signature(each, message_id, timestamp, body).encode() for each in secrets]
    # Each is compared with each: how long that takes says nothing about which one was near.
    fits = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
    if not any(fits):
        raise WrongSignature("no signature in webhook-signature fits this message and the secret")
    if abs(now - int(timestamp)) > TOLERANCE:
        raise WrongSignature(f"webhook-timestamp is more than {TOLERANCE} seconds from now")


def secret_text(secret: bytes) -> str:
    """Return *secret* as people and configurations hand it on."""
    return PREFIX + b64encode(secret).decode()


def secret_of(text: str) -> bytes:
    """Return the secret that `secret_text` wrote as *text*.

    Raises:
        ValueError: it is none; says what is wrong and never quotes it.
    """
    if not text.startswith(PREFIX):
        raise ValueError(f"a secret begins with {PREFIX}")
    try:
        secret = b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {PREFIX} must be base64") from None
    if not SHORTEST <= len(secret) <= LONGEST:
        raise ValueError(f"a secret has {SHORTEST} to {LONGEST} bytes, this one {len(secret)}")
    return secret


def _signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
