"""`/v1/subscriptions` as subscribers use it: what it takes, what it refuses, and whose is whose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from standardwebhooks import Webhook, WebhookVerificationError

from services.deliver.webhooks import endpoints
from shared.contract.signing import secret_text
from shared.runtime import api_keys
from shared.runtime.engine import Engine
from shared.runtime.keys import SUBSCRIPTIONS
from tests.builders import SLUG, corrected, killed, posted, published
from tests.integration.hooks import (
    LOOPBACK,
    QUICK,
    Subscriber,
    ask,
    quiet,
    shown,
    subscribe,
    subscriber,
)
from tests.integration.newsroom import dump
from tests.integration.newsstand import Newsstand, a_key, open_newsstand
from tests.waiting import until

FERRY = "ferry-strike"


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK) as stand:
        yield stand


@pytest.fixture
async def keyed(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url, pace=QUICK, **LOOPBACK) as stand:
        yield stand


@pytest.mark.parametrize(
    ("document", "pointer", "said"),
    [
        ({}, "/url", "is missing"),
        ({"url": "ftp://a.example/"}, "/url", "https://"),
        ({"url": "http://10.1.2.3/"}, "/url", "not public"),
        ({"url": "http://user:word@a.example/"}, "/url", "password"),
        ({"url": "https://a.example/", "colour": 1}, "/colour", "no field"),
        ({"url": "https://a.example/", "articles": ["A b"]}, "/articles/0", "pattern"),
        ({"url": "https://a.example/", "articles": []}, "/articles", "at least 1"),
        ({"url": "https://a.example/", "kinds": ["posted"]}, "/kinds/0", "update.posted"),
        ({"url": "https://a.example/", "payload": "fat"}, "/payload", "'thin' or 'full'"),
        ({"url": "https://a.example/", "secret": "whsec_AAAA"}, "/secret", "24 to 64 bytes"),
        ({"url": "https://a.example/", "secret": "hush"}, "/secret", "whsec_"),
    ],
)
async def test_a_field_that_is_wrong_is_named_with_the_remedy(
    stand: Newsstand, document: dict[str, Any], pointer: str, said: str
) -> None:
    answer = await ask(stand, **document)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert said in error["detail"]


async def test_what_is_no_json_object_or_too_long_is_refused(stand: Newsstand) -> None:
    post = stand.http.post
    assert (await post("/v1/subscriptions", content=b"{")).status_code == 400
    assert (await post("/v1/subscriptions", content=b"[]")).status_code == 400
    assert (await post("/v1/subscriptions", content=b" " * 20_000)).status_code == 413


async def test_the_secret_is_shown_once_and_kept_sealed(stand: Newsstand, redis: Redis) -> None:
    secret = secret_text(b"s" * 32)
    async with subscriber() as hook:
        made = await subscribe(stand, hook.url, secret=secret)
        assert made["secret"] == secret
        assert "secret" not in await shown(stand, made)
        held = repr(await dump(redis))
        assert secret not in held
        assert "s" * 32 not in held
        await stand.publish(published())
        (got,) = await hook.getting(1)
        Webhook(secret).verify(got.body, dict(got.headers))


async def test_while_a_secret_is_rotated_either_verifies_and_later_only_the_new_one(
    stand: Newsstand,
) -> None:
    async with subscriber() as hook:
        made = await subscribe(stand, hook.url)
        rotated = (await ask(stand, f"/{made['id']}/rotate")).json()
        assert len(rotated["secrets"]) == 2
        await stand.publish(published())
        await until(lambda: _takes(hook.got, rotated["secret"]))
        got = hook.got[-1]
        Webhook(made["secret"]).verify(got.body, dict(got.headers))

        newest = (await ask(stand, f"/{made['id']}/rotate", grace_seconds=0)).json()
        assert len(newest["secrets"]) == 1
        await stand.publish(posted("u1", "One."))
        await hook.getting_all_but_silence(stand, 2)
        got = hook.got[-1]
        Webhook(newest["secret"]).verify(got.body, dict(got.headers))
        for old in (made["secret"], rotated["secret"]):
            with pytest.raises(WebhookVerificationError):
                Webhook(old).verify(got.body, dict(got.headers))


def _takes(got: Any, secret: str) -> bool:
    return bool(got) and len(got[-1].headers["webhook-signature"].split()) == 2


async def test_a_test_message_goes_out_at_once_even_to_one_that_is_paused(
    stand: Newsstand,
) -> None:
    async with subscriber(lambda number: 204 if number == 1 else 500) as hook:
        made = await subscribe(stand, hook.url)
        await ask(stand, f"/{made['id']}/pause")
        first = (await ask(stand, f"/{made['id']}/test")).json()
        assert (first["outcome"], first["status"]) == ("delivered", 204)
        assert hook.got[0].said["type"] == "writethru.subscription.tested"
        Webhook(made["secret"]).verify(hook.got[0].body, dict(hook.got[0].headers))
        second = (await ask(stand, f"/{made['id']}/test")).json()
        assert (second["outcome"], second["error"]) == ("failed", "it answered 500")
        assert (await shown(stand, made))["failing_since"] is None


async def test_a_replay_tells_of_an_article_again_under_new_ids(stand: Newsstand) -> None:
    async with subscriber() as hook:
        made = await subscribe(stand, hook.url, articles=[SLUG, FERRY])
        await stand.publish(
            published(), posted("u1", "One."), published(slug=FERRY), published(slug="fog")
        )
        await hook.getting_all_but_silence(stand, 2)
        before = len(hook.got)
        path = f"/{made['id']}/replay"
        assert (await ask(stand, path, article=SLUG, **{"from": 1})).status_code == 202
        got = await hook.getting_all_but_silence(stand, before + 1)
        assert got[-1].steps == (SLUG, 1, 2)
        assert (await ask(stand, path)).json() == {"articles": 2}
        got = await hook.getting_all_but_silence(stand, before + 3)
        assert {each.steps for each in got[-2:]} == {(SLUG, 0, 2), (FERRY, 0, 1)}
        assert len({each.message_id for each in got}) == len(got)


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"article": "nowhere"}, "/article"),
        ({"article": SLUG, "from": 7}, "/from"),
        ({"article": "fog"}, "/article"),
        ({"from": -1}, "/from"),
    ],
)
async def test_a_replay_of_what_is_not_there_is_refused(
    stand: Newsstand, document: dict[str, Any], pointer: str
) -> None:
    async with subscriber() as hook:
        made = await subscribe(stand, hook.url, articles=[SLUG, "nowhere"])
        await stand.publish(published(), published(slug="fog"))
        answer = await ask(stand, f"/{made['id']}/replay", **document)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_only_what_was_asked_for_is_told_and_of_what_was_told_the_kill_too(
    stand: Newsstand,
) -> None:
    async with subscriber() as by_section, subscriber() as by_tag, subscriber() as by_kind:
        await subscribe(stand, by_section.url, sections=["city"])
        await subscribe(stand, by_tag.url, tags=["boats"], articles=["ferry-*"])
        await subscribe(stand, by_kind.url, kinds=["update.corrected"])
        await stand.publish(
            published(section="city"), published(slug=FERRY, tags=["boats"]),
            published(slug="fog", tags=["boats"]), posted("u1", "One."),
            corrected("u1", "Two.", "Not one."), posted("u2", "Three."), killed("No."),
            killed("No.", slug="fog"),
        )  # fmt: skip
        await until(lambda: _heard_of(by_section) == {SLUG, "fog"})
        await until(lambda: quiet(stand))
        assert _heard_of(by_section) == {SLUG, "fog"}
        assert [each.data["article"] for each in by_tag.got] == [FERRY]
        assert [each.said["type"] for each in by_kind.got] == [
            "writethru.update.corrected", "writethru.article.killed",
        ]  # fmt: skip
        assert by_kind.got[0].data["article"] == SLUG


def _heard_of(hook: Subscriber) -> set[str]:
    return {each.data["article"] for each in hook.got}


async def test_a_subscription_that_is_taken_away_is_told_nothing_more_and_leaves_nothing(
    stand: Newsstand, redis: Redis
) -> None:
    async with subscriber() as hook:
        made = await subscribe(stand, hook.url)
        await stand.publish(published())
        await hook.getting_all_but_silence(stand, 1)
        path = f"/v1/subscriptions/{made['id']}"
        assert (await stand.http.delete(path)).status_code == 204
        assert (await stand.http.get(path)).status_code == 404
        await stand.publish(posted("u1", "One."))
        assert not [name for name in await dump(redis) if made["id"] in name]
        assert len(hook.got) == 1


async def test_keys_see_their_own_subscriptions_and_one_with_admin_all(keyed: Newsstand) -> None:
    owner, other = [await a_key(keyed, "read") for _ in range(2)]
    admin = await a_key(keyed, "admin")
    none = await a_key(keyed, "publish")
    async with subscriber() as hook:
        made = (
            await keyed.http.post("/v1/subscriptions", json={"url": hook.url}, headers=owner)
        ).json()
    path = f"/v1/subscriptions/{made['id']}"
    assert made["created_by"] in owner["authorization"]

    async def listed(key: dict[str, str]) -> list[str]:
        answer = await keyed.http.get("/v1/subscriptions", headers=key)
        return [each["id"] for each in answer.json()["subscriptions"]]

    assert [await listed(key) for key in (owner, other, admin)] == [[made["id"]], [], [made["id"]]]
    for method, end in [("GET", ""), ("DELETE", ""), ("GET", "/dead"), ("POST", "/rotate")]:
        answer = await keyed.http.request(method, path + end, headers=other)
        assert answer.status_code == 404
    assert (await keyed.http.get(path, headers=admin)).status_code == 200
    assert (await keyed.http.get("/v1/subscriptions", headers=none)).status_code == 403
    assert (await keyed.http.get("/v1/subscriptions")).status_code == 401


async def test_a_key_for_some_articles_subscribes_to_no_others(keyed: Newsstand) -> None:
    key = await a_key(keyed, "read", articles=("ferry-*",))
    async with subscriber() as hook:
        wish = {"url": hook.url, "articles": ["ferry-strike", "*"]}
        answer = await keyed.http.post("/v1/subscriptions", json=wish, headers=key)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/articles/1"
        answer = await keyed.http.post("/v1/subscriptions", json={"url": hook.url}, headers=key)
        assert answer.json()["articles"] == ["ferry-*"]
        await keyed.publish(published(), published(slug=FERRY))
        await hook.getting(1)
        assert [each.data["article"] for each in hook.got] == [FERRY]


async def test_what_a_revoked_key_made_is_disabled(
    keyed: Newsstand, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.deliver.webhooks.registry.READ_AGAIN_SECONDS", 0.05)
    key, admin = await a_key(keyed, "read"), await a_key(keyed, "admin")
    async with subscriber() as hook:
        made = await keyed.http.post("/v1/subscriptions", json={"url": hook.url}, headers=key)
        path = f"/v1/subscriptions/{made.json()['id']}"
        await api_keys.revoke(redis, made.json()["created_by"])

        async def disabled() -> bool:
            found = (await keyed.http.get(path, headers=admin)).json()
            return found["status"] == "disabled" and "key" in found["reason"]

        await until(disabled)
        await keyed.publish(published())
        assert not hook.got


async def test_there_is_an_end_to_how_many_a_key_may_make(
    stand: Newsstand, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "MOST_OF_A_KEY", 2)
    async with subscriber() as hook:
        statuses = [(await ask(stand, url=hook.url)).status_code for _ in range(3)]
        assert statuses == [201, 201, 409]
        assert await redis.hlen(SUBSCRIPTIONS) == 2
