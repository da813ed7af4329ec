"""The manual: what it says of ingest is so, and what is in docs/ is what it says now."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from services.ingest import explanations, intake, ledger, probes
from services.ingest.app import create_app
from services.ingest.core.filing import Filing
from services.ingest.manual import asyncapi, openapi, pages
from services.ingest.manual.__main__ import texts
from services.ingest.manual.examples import EVENTS, PROBLEMS
from shared.contract.acts import ACTS
from shared.contract.canonical import fingerprint
from shared.contract.events import Envelope, parse_event
from shared.contract.receipts import Receipt
from shared.runtime.keys import Lane
from shared.runtime.problems import PROBLEMS as CODES
from shared.runtime.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
#: Pages for people; the document is for programs.
PAGES = {("GET", "/docs"), ("GET", "/openapi.json")}


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def resolved(document: Any, reference: str) -> Any:
    for name in reference.removeprefix("#/").split("/"):
        document = document[name]
    return document


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_what_is_in_docs_is_what_the_code_says(name: str) -> None:
    written = (DOCS / name).read_bytes()

    assert written == texts()[name], "make it anew: .venv/bin/python -m services.ingest.manual"


@pytest.mark.parametrize("document", [openapi.document(), asyncapi.document()])
def test_every_reference_leads_somewhere(document: Any) -> None:
    found = references(document)

    assert found
    for reference in found:
        assert resolved(document, reference)


def test_every_route_is_in_the_document_and_nothing_else_is() -> None:
    served = {
        (method, route.path)
        for module in (intake, ledger, explanations, probes)
        for route in module.router.routes
        if isinstance(route, APIRoute)
        for method in (route.methods or set()) - {"HEAD"}
    }
    documented = {
        (method.upper(), path)
        for path, methods in openapi.document()["paths"].items()
        for method in methods
    }

    assert served | PAGES == documented | PAGES
    assert create_app(Settings()).openapi() == openapi.document()


def test_every_type_has_an_example_and_all_its_fields_in_words() -> None:
    schemas = openapi.document()["components"]["schemas"]
    described = {
        each["properties"]["type"]["const"]: each for each in schemas.values() if "examples" in each
    }

    assert described.keys() == ACTS.keys()
    for wire, schema in described.items():
        assert parse_event(schema["examples"][0]).type == wire
        assert schema["properties"].keys() == Envelope.model_fields.keys()
        data = schema["properties"]["data"]
        assert data["properties"].keys() == ACTS[wire].model_fields.keys()
        assert all(facts["description"] for facts in data["properties"].values())


def test_every_field_of_a_receipt_is_described() -> None:
    receipt = openapi.document()["components"]["schemas"]["Receipt"]["properties"]

    assert receipt.keys() == set(Receipt.__dataclass_fields__)


def test_every_problem_has_an_example_and_is_an_answer() -> None:
    answers = openapi.document()["paths"]["/v1/events"]["post"]["responses"]
    told = {
        (code, int(status))
        for status, answer in answers.items()
        for content in answer["content"].values()
        for code in content.get("examples", {})
    }

    assert PROBLEMS.keys() == CODES.keys()
    assert told == {(code, each.status) for code, each in CODES.items()} | {("busy", 429)}


def test_the_examples_are_a_history_that_is_legal() -> None:
    filings: dict[str, Filing] = {}
    for event in map(parse_event, EVENTS):
        filing = filings.setdefault(event.subject, Filing())
        assert filing.take(event, fingerprint(b"", event.envelope)).code == "accepted"


def test_the_page_has_all_of_the_document_and_needs_nothing_from_elsewhere() -> None:
    page = pages.manual("https://ingest.example")
    text = bytes(page.body).decode()

    for wire in ACTS:
        assert wire in text
    for path in openapi.document()["paths"]:
        assert path in text
    assert "curl -sS https://ingest.example/v1/events" in text
    assert not re.search(r"<script|<link|src=|@import|url\(", text)
    targets = set(re.findall(r'href="#([^"]+)"', text))
    assert targets
    assert targets <= set(re.findall(r'id="([^"]+)"', text))


def test_the_streams_have_the_names_and_fields_that_the_code_gives_them() -> None:
    document = asyncapi.document()

    said = {name: channel["description"] for name, channel in document["channels"].items()}
    lane = Lane("<tag>")
    assert lane.events in said["events"]
    assert lane.changes in said["changes"]
    fields = {
        name: list(message["payload"]["properties"])
        for name, message in document["components"]["messages"].items()
    }
    assert fields == {
        "InboxEntry": ["data"],
        "RefusedEntry": ["data", "problem", "entry"],
        "FindingsEntry": ["article", "id", "source", "update_id", "status", "seq", "findings"],
        "EventEntry": ["article", "seq", "chain", "data"],
        "ChangeEntry": [
            *("article", "from", "to", "chain", "head", "kinds", "traceparent", "since", "was"),
        ],
        "NoticeEntry": ["type", "subscription", "reason"],
        "Webhook": ["type", "timestamp", "data"],
    }
