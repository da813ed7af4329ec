"""Signatures as Standard Webhooks has them, checked against its published library."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from shared.contract.signing import (
    LONGEST,
    SHORTEST,
    TOLERANCE,
    WrongSignature,
    secret_of,
    secret_text,
    sign,
    verify,
)

SECRET = bytes(range(32))
OTHER = bytes(range(1, 33))
BODY = '{"article": "ferry-strike", "note": "Fähre – 渡船"}'.encode()
NOW = 1_763_200_000


def headers(signature: str, timestamp: int) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }


def test_the_published_library_takes_what_we_sign() -> None:
    now = int(datetime.now(UTC).timestamp())

    taken = Webhook(secret_text(SECRET)).verify(
        BODY, headers(sign([SECRET], "msg_1", now, BODY), now)
    )

    assert taken["article"] == "ferry-strike"


def test_the_published_library_takes_either_secret_while_one_replaces_the_other() -> None:
    now = int(datetime.now(UTC).timestamp())
    signed = headers(sign([SECRET, OTHER], "msg_1", now, BODY), now)

    for secret in (SECRET, OTHER):
        assert Webhook(secret_text(secret)).verify(BODY, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_text(bytes(32))).verify(BODY, signed)


@given(
    st.binary(min_size=SHORTEST, max_size=LONGEST),
    st.from_regex(r"[!-~]{1,40}", fullmatch=True),
    st.text(),
)
def test_we_take_what_the_published_library_signs(secret: bytes, name: str, text: str) -> None:
    when = datetime.fromtimestamp(NOW, UTC)

    signed = Webhook(secret_text(secret)).sign(name, when, text)

    verify([secret], name, str(NOW), signed, text.encode(), NOW)
    assert sign([secret], name, NOW, text.encode()) == signed


def test_one_of_several_secrets_and_signatures_is_enough() -> None:
    signed = sign([OTHER, SECRET], "msg_1", NOW, BODY)

    verify([SECRET], "msg_1", str(NOW), signed, BODY, NOW)
    verify([bytes(32), SECRET], "msg_1", str(NOW), f"v1a,xyz {signed}", BODY, NOW)


def test_a_message_with_any_bit_turned_is_refused() -> None:
    # Given a message that is taken as it is
    signature = sign([SECRET], "msg_1", NOW, BODY)
    whole = b"\n".join([b"msg_1", str(NOW).encode(), signature.encode(), BODY])
    verify([SECRET], "msg_1", str(NOW), signature, BODY, NOW)

    # When each bit of it is turned, one at a time
    taken = []
    for place in range(len(whole) * 8):
        turned = bytearray(whole)
        turned[place // 8] ^= 1 << place % 8
        parts = bytes(turned).split(b"\n", 3)
        if len(parts) == 4:
            name, when, signed = (each.decode("latin-1") for each in parts[:3])
            try:
                verify([SECRET], name, when, signed, parts[3], NOW)
            except WrongSignature:
                continue
            taken.append(place)

    # Then none is taken
    assert taken == []


@pytest.mark.parametrize("off", [-TOLERANCE - 1, TOLERANCE + 1])
def test_a_message_of_another_time_is_refused(off: int) -> None:
    signed = sign([SECRET], "msg_1", NOW, BODY)

    verify([SECRET], "msg_1", str(NOW), signed, BODY, NOW + TOLERANCE)
    verify([SECRET], "msg_1", str(NOW), signed, BODY, NOW - TOLERANCE)
    with pytest.raises(WrongSignature, match="seconds from now"):
        verify([SECRET], "msg_1", str(NOW), signed, BODY, NOW + off)


@pytest.mark.parametrize("when", ["", "now", "-1", "1e9", "١٧٦٣", "9" * 400])
def test_a_time_that_is_none_is_refused(when: str) -> None:
    with pytest.raises(WrongSignature, match="webhook-timestamp"):
        verify([SECRET], "msg_1", when, sign([SECRET], "msg_1", NOW, BODY), BODY, NOW)


@pytest.mark.parametrize("signatures", ["", "v1", "v1,", "v2,abc", "é", "v1,é", ",", " "])
def test_signatures_that_are_none_are_refused(signatures: str) -> None:
    with pytest.raises(WrongSignature, match="webhook-signature"):
        verify([SECRET], "msg_1", str(NOW), signatures, BODY, NOW)


@given(st.binary(min_size=SHORTEST, max_size=LONGEST))
def test_a_secret_is_read_back_from_its_text(secret: bytes) -> None:
    assert secret_of(secret_text(secret)) == secret


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "begins with whsec_"),
        ("whpk_" + b64encode(SECRET).decode(), "begins with whsec_"),
        ("whsec_not base64!", "base64"),
        ("whsec_é", "base64"),
        ("whsec_" + b64encode(bytes(23)).decode(), "24 to 64 bytes, this one 23"),
        ("whsec_" + b64encode(bytes(65)).decode(), "24 to 64 bytes, this one 65"),
    ],
)
def test_a_secret_that_is_none_is_refused_without_quoting_it(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong) as error:
        secret_of(text)
    assert not text or text not in str(error.value)
