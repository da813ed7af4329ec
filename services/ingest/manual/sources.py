"""JSON Schemas of sources, as events name them and as the routes show them."""

from __future__ import annotations

from typing import Any

from shared.contract.copy_rules import SLUG
from shared.contract.sources import KINDS, MAX_NAME

Json = dict[str, Any]

_URL = {"type": "string", "format": "uri", "maxLength": 2048}
_FIELDS: Json = {
    "name": {
        "type": "string",
        "pattern": SLUG,
        "maxLength": MAX_NAME,
        "description": "What its events are known by; made of kind and url when it is left out.",
    },
    "kind": {"enum": list(KINDS), "description": "What is there; a feed when it is left out."},
    "url": {**_URL, "description": "Where. What is secret in it is in the ledger, too."},
    "provenance": {
        "enum": ["human", "wire", "automated"],
        "description": "Of its updates; wire when it is left out, automated for http.",
    },
}
NAMED: Json = {
    "type": "object",
    "required": ["url"],
    "properties": _FIELDS,
    "additionalProperties": False,
}
#: One of `pull`: an address alone is a feed.
SOURCE: Json = {"anyOf": [_URL, NAMED]}
