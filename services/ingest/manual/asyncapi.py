"""The AsyncAPI 3 document of the streams: what systems inside may append to, and read from.

By hand, as the streams are: their entries are plain fields, which FastStream's own document, made
from its binary envelopes, would not describe.
"""

from __future__ import annotations

import orjson

from services.ingest.manual.examples import EVENTS
from services.ingest.manual.schemas import Json, bare_finding, schemas
from shared.contract.copy_rules import MAX_SLUG, SLUG
from shared.contract.notices import OVERDUE
from shared.runtime.keys import FINDINGS, INBOX, LANES, NOTICES, REFUSED

VERSION = "1"

_TEXT: Json = {"type": "string"}
_SLUG: Json = {"type": "string", "pattern": SLUG, "maxLength": MAX_SLUG}
_NUMBER: Json = {"type": "string", "pattern": "^[0-9]+$"}
_CHAIN: Json = {"type": "string", "pattern": "^([0-9a-f]{40})?$"}
_TAGS = f"The list {LANES} names the tags. Consumer groups are welcome; entries stay 24 hours."


def document() -> Json:
    """Return the document; the same one, always."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "writethru: streams",
            "version": VERSION,
            "description": "Redis streams. An entry's fields are text; some of them hold JSON.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "inbox": _channel(
                INBOX,
                "Events for ingest, from whoever the engine lets write here: they may publish and "
                "correct. Append with XADD and without MAXLEN; ingest takes out what it has filed.",
                "InboxEntry",
            ),
            "refused": _channel(
                REFUSED,
                "What the inbox held and ingest refused, about the newest 10,000. After a crash an "
                "entry may be here twice.",
                "RefusedEntry",
            ),
            "findings": _channel(
                FINDINGS,
                "What the desk's checks found in events that were stored or held, about the newest "
                "10,000; none of the copy's words. The receipts say more.",
                "FindingsEntry",
            ),
            "events": _channel(
                None,
                f"The stream {{wt:<tag>}}:events: all events of a lane, as filed. {_TAGS}",
                "EventEntry",
            ),
            "changes": _channel(
                None,
                "The stream {wt:<tag>}:changes: one entry a change of an article, or a notice, "
                f"whose from is its to: {OVERDUE}. {_TAGS}",
                "ChangeEntry",
            ),
            "notices": _channel(
                NOTICES,
                "What operators should hear: a subscriber to webhooks was disabled.",
                "NoticeEntry",
            ),
            "webhooks": _channel(
                None,
                "Messages to the addresses of subscribers, by HTTP: POST, after Standard Webhooks.",
                "Webhook",
            ),
        },
        "operations": {
            "fileFromInbox": _operation("receive", "inbox"),
            "tellWhatWasRefused": _operation("send", "refused"),
            "tellWhatChecksFound": _operation("send", "findings"),
            "passEventsOn": _operation("send", "events"),
            "tellOfChanges": _operation("send", "changes"),
            "tellOperators": _operation("send", "notices"),
            "tellSubscribers": _operation("send", "webhooks"),
        },
        "components": {"messages": _messages(), "schemas": schemas()},
    }


def _channel(address: str | None, description: str, message: str) -> Json:
    reference = {"$ref": f"#/components/messages/{message}"}
    return {"address": address, "description": description, "messages": {message: reference}}


def _operation(action: str, channel: str) -> Json:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _messages() -> Json:
    event = _json_of({"$ref": "#/components/schemas/Event"})
    return {
        "InboxEntry": {
            **_message({"data": event}),
            "examples": [{"payload": {"data": _as_text(EVENTS[1])}}],
        },
        "RefusedEntry": _message(
            {
                "data": {**_TEXT, "description": "What was in the entry, up to 256 KiB of it."},
                "problem": _json_of({"$ref": "#/components/schemas/Problem"}),
                "entry": {**_TEXT, "description": "The entry's id in the inbox."},
            }
        ),
        "FindingsEntry": _message(
            {
                "article": _SLUG,
                "id": {**_TEXT, "description": "The event's."},
                "source": {**_TEXT, "description": "The event's."},
                "update_id": {**_TEXT, "description": "The update; empty for the article's copy."},
                "status": {"enum": ["accepted", "held"]},
                "seq": {**_TEXT, "description": "Its number in the ledger; empty if it is held."},
                "findings": _json_of({"type": "array", "items": bare_finding()}),
            }
        ),
        "EventEntry": _message({"article": _SLUG, "seq": _NUMBER, "chain": _CHAIN, "data": event}),
        "ChangeEntry": _message(
            {
                "article": _SLUG,
                "from": {**_NUMBER, "description": "The version before."},
                "to": {**_NUMBER, "description": "The version after."},
                "chain": _CHAIN,
                "head": _json_of({"type": "object", "description": "The article's facts."}),
                "kinds": {**_TEXT, "description": "The types of the events, with commas between."},
            },
            traceparent={**_TEXT, "description": "The trace of the last event, if any."},
            since={**_NUMBER, "description": "Of a notice: since when, in milliseconds."},
            was=_json_of(
                {
                    "type": "object",
                    "description": "Section and tags before, if others now.",
                }
            ),
        ),
        "NoticeEntry": _message(
            {
                "type": {"const": "writethru.subscription.disabled"},
                "subscription": {**_TEXT, "description": "Its id."},
                "reason": {"enum": ["gone", "failing"]},
            }
        ),
        "Webhook": _webhook(),
    }


def _webhook() -> Json:
    of_standard = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "headers": {
            "type": "object",
            "required": list(of_standard),
            "properties": dict.fromkeys(of_standard, _TEXT),
        },
        "payload": {
            "type": "object",
            "required": ["type", "timestamp", "data"],
            "properties": {
                "type": {
                    **_TEXT,
                    "description": "writethru.article.changed, the type of an event that is told "
                    f"by itself, {OVERDUE}, or writethru.subscription.tested.",
                },
                "timestamp": {**_TEXT, "format": "date-time"},
                "data": {
                    "type": "object",
                    "description": "Thin: article, from, to, chain, head, kinds, url. Full: what "
                    "changes?since=from answers when it is sent.",
                },
            },
        },
    }


def _message(fields: Json, **optional: Json) -> Json:
    properties = {**fields, **optional}
    return {"payload": {"type": "object", "required": list(fields), "properties": properties}}


def _json_of(schema: Json) -> Json:
    return {**_TEXT, "contentMediaType": "application/json", "contentSchema": schema}


def _as_text(event: Json) -> str:
    return orjson.dumps(event).decode()
