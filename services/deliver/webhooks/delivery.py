"""One attempt to tell one subscription of one article."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import structlog
from redis.asyncio import Redis

from services.deliver.core.backoff import Outcome, Schedule, outcome_of, rest_of
from services.deliver.core.cursors import mark_id, parse_mark
from services.deliver.core.messages import (
    TESTED,
    Message,
    Step,
    message_id,
    next_message,
    overdue,
    reset,
)
from services.deliver.reading import Reading
from services.deliver.webhooks.claims import RECENT, Job, Sent, settle
from services.deliver.webhooks.payloads import Payloads, moment_of, test_body
from services.deliver.webhooks.registry import Subscribed
from shared.article.article import Mark
from shared.article.dates import rfc3339
from shared.article.stored import link_of, recorded_at
from shared.contract.canonical import short
from shared.contract.errors import Refused
from shared.contract.notices import OVERDUE
from shared.contract.signing import sign
from shared.runtime.clock import chance, monotonic, now
from shared.runtime.dialing import Unreachable
from shared.runtime.failpoints import failpoint
from shared.runtime.fetching import Answer
from shared.runtime.keys import NOTICES
from shared.runtime.ledgers import Ledgers
from shared.runtime.metrics import count, observe

#: How many events are looked at for one message; more make another one.
STEPS = 200
NOTICES_KEPT = 1_000
AGENT = "writethru-webhooks/1"

log = structlog.get_logger()


class Post(Protocol):
    """The way out: `shared.runtime.fetching.Outbound`."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send *body*; raises Unreachable."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of sending something once."""

    outcome: Outcome
    status: int | None
    seconds: float
    error: str | None = None
    rest: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """Tells. *redis* is deliver's own client."""

    redis: Redis
    reading: Reading
    ledgers: Ledgers
    payloads: Payloads
    outbound: Post
    schedule: Schedule

    async def tell(self, subscribed: Subscribed, job: Job) -> float | None:
        """Send what *job* asks for, and settle it; return in how many seconds it is due again.

        Raises:
            RedisError, Busy: nobody knows what to say at the moment; the lease will end.
        """
        sent = job.sent or await self._prepared(subscribed, job)
        if sent is None:
            return None
        try:
            message = sent.message
            body = await self.payloads.body(subscribed.record, job.article, message, sent.at)
        except Refused:  # the article is gone from the engine
            await settle(self.redis, subscribed, job, told=mark_id(sent.message.end))
            return None
        attempt = await self._post(subscribed, sent.message_id, body)
        return await self._settle(subscribed, job, sent, attempt)

    async def test(self, subscribed: Subscribed, message_id: str) -> None:
        """Send a test message, whatever the subscription's status, and note what came of it."""
        body = test_body(subscribed.record.subscription_id, now())
        attempt = await self._post(subscribed, message_id, body)
        line = _line(message_id, attempt, {"article": None, "from": None, "to": None}, TESTED, 1)
        keys = subscribed.keys
        async with self.redis.pipeline(transaction=True) as step:
            step.lpush(keys.recent, line)
            step.ltrim(keys.recent, 0, RECENT - 1)
            await step.execute()

    async def _prepared(self, subscribed: Subscribed, job: Job) -> Sent | None:
        """Work out what to send, and keep it; None, and all settled, if that is nothing."""
        if not subscribed.may_hear_of(job.article):
            await settle(self.redis, subscribed, job)
            return None
        told = parse_mark(job.told) or Mark()
        message, passed, more = await self._next(subscribed, job.article, told)
        if message is None and job.overdue and not more:
            message = await self._overdue(job, passed)
        if message is None:
            plan = {"told": mark_id(passed)} if passed != told else {}
            plan |= {"overdue": job.overdue} if job.overdue and not more else {}
            await settle(self.redis, subscribed, job, more=more, **plan)
            return None
        record = subscribed.record
        name = message_id(record.subscription_id, job.article, message, job.replays)
        sent = Sent(name, moment_of(message, now()), message)
        kept = await settle(self.redis, subscribed, job, send=sent.dumps())
        return sent if kept == "kept" else None

    async def _overdue(self, job: Job, told: Mark) -> Message | None:
        """Return what is to be told of an article without news; None if there is some by now."""
        stand = await self.reading.stand(job.article)
        lane = self.reading.lanes.of(job.article)
        since = await self.redis.zscore(lane.overdue, job.article)
        if stand is None or stand.version != told.version or since != float(job.overdue):
            return None
        return overdue(stand.mark, stand.chain, int(job.overdue))

    async def _next(
        self, subscribed: Subscribed, article: str, told: Mark
    ) -> tuple[Message | None, Mark, bool]:
        """Return the next message, what was passed over if there is none, and whether to go on."""
        stand = await self.reading.stand(article)
        if stand is None:
            return None, told, False
        to = min(stand.version, told.version + STEPS)
        records = await self.ledgers.read(article, max(told.version - 1, 0), to)
        steps = [_step(record) for record in records]
        if told.version:
            ours = steps and (not told.chain12 or short(steps[0].chain) == told.chain12)
            if told.version > stand.version or not ours:
                return reset(told, Step(stand.version, stand.chain, None)), told, False
            steps = steps[1:]
        message = next_message(told, steps, subscribed.record.wants)
        passed = Mark(steps[-1].seq, short(steps[-1].chain)) if steps else told
        return message, passed, to < stand.version

    async def _post(self, subscribed: Subscribed, name: str, body: bytes) -> Attempt:
        at = int(now().timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": AGENT,
            "webhook-id": name,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(subscribed.secrets, name, at, body),
        }
        began = monotonic()
        try:
            answer = await self.outbound.post(subscribed.record.url, body, headers)
        except Unreachable as error:
            return Attempt("failed", None, monotonic() - began, error.reason)
        failpoint("deliver.after_webhook")
        outcome = outcome_of(answer.status)
        said = None if outcome == "delivered" else f"it answered {answer.status}"
        rest = rest_of(answer.status, answer.headers, now())
        return Attempt(outcome, answer.status, answer.seconds, said, rest)

    async def _settle(
        self, subscribed: Subscribed, job: Job, sent: Sent, attempt: Attempt
    ) -> float | None:
        message, failed = sent.message, job.failed + 1
        places = {"article": job.article, "from": message.start.version, "to": message.to}
        line = _line(sent.message_id, attempt, places, message.kind, failed)
        plan: dict[str, Any] = {"attempt": line, "outcome": attempt.outcome}
        pause = None
        if attempt.outcome == "delivered":
            plan |= _passed(job, message)
        elif attempt.outcome == "failed":
            pause = self.schedule.pause(failed, chance(), attempt.rest)
            plan |= {
                "rest": int(attempt.rest * 1e3),
                "patience": int(self.schedule.patience * 1e3),
            }
            if pause is None:
                letter = _letter(sent, places, attempt, failed)
                plan |= {"outcome": "dead", "letter": letter, **_passed(job, message)}
            else:
                plan["pause"] = int(pause * 1e3)
        result = await settle(self.redis, subscribed, job, **plan)
        if result == "lost":
            return None
        await self._count(subscribed, message, plan["outcome"], failed, result)
        return pause

    async def _count(
        self, subscribed: Subscribed, message: Message, outcome: str, failed: int, result: str
    ) -> None:
        count("writethru_webhooks_total", outcome=outcome)
        filed = message.recorded if message.kind != OVERDUE else None
        if outcome == "delivered" and failed == 1 and filed is not None:
            waited = now().timestamp() - filed / 1e3
            observe("writethru_webhook_seconds", max(waited, 0.0))
        if result != "disabled":
            return
        reason = "gone" if outcome == "gone" else "failing"
        count("writethru_subscriptions_disabled_total", reason=reason)
        record = subscribed.record
        log.warning("subscription.disabled", subscription=record.subscription_id, reason=reason)
        notice: Any = {
            "type": "writethru.subscription.disabled",
            "subscription": record.subscription_id,
            "reason": reason,
        }
        await self.redis.xadd(NOTICES, notice, maxlen=NOTICES_KEPT, approximate=True)


def _passed(job: Job, message: Message) -> dict[str, Any]:
    """Return what settles an article whose *message* is done with, one way or the other."""
    told = mark_id(message.end)
    its = {"overdue": str(message.recorded)} if message.kind == OVERDUE else {}
    return {"told": told, "more": told != job.news, **its}


def _step(record: bytes) -> Step:
    link = link_of(record)
    try:
        kind = str(orjson.loads(record)["event"]["type"])
    except (ValueError, LookupError, TypeError):
        kind = None
    return Step(link.seq, link.chain, kind, recorded_at(record))


def _line(name: str, attempt: Attempt, places: Mapping[str, Any], kind: str, number: int) -> str:
    """Return an attempt as it is kept and shown: no word of what was sent, or came back."""
    facts = {
        "webhook_id": name,
        "time": rfc3339(now()),
        **places,
        "type": kind,
        "attempt": number,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "milliseconds": round(attempt.seconds * 1e3),
        "error": attempt.error,
    }
    return orjson.dumps(facts).decode()


def _letter(sent: Sent, places: Mapping[str, Any], attempt: Attempt, failed: int) -> str:
    """Return a message that was given up, with what it takes to send it again."""
    facts = {
        "webhook_id": sent.message_id,
        "time": rfc3339(now()),
        **places,
        "type": sent.message.kind,
        "attempts": failed,
        "status": attempt.status,
        "error": attempt.error,
        "start": mark_id(sent.message.start),
        "message": sent.facts(),
    }
    return orjson.dumps(facts).decode()
