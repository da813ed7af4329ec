"""docs/sources.md: each document on it is read by the adapter that it stands under."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from services.ingest.core.sources import answer
from services.ingest.core.sources.adapters import READERS
from services.ingest.core.sources.documents import Document
from shared.contract.acts import Published
from shared.contract.events import parse_event
from shared.contract.sources import Kind, Source

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text("utf-8")


def examples(kind: str) -> list[bytes]:
    _, _, section = PAGE.partition(f"**`{kind}`**")
    section = re.split(r"\n\*\*`|\n## ", section)[0]
    return [found.encode() for found in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]


@pytest.mark.parametrize("kind", ["ninjs", "superdesk", "guardian"])
def test_the_example_of_a_kind_is_read_by_its_adapter(kind: Kind):
    (example,) = examples(kind)

    (entry,) = READERS[kind](Document(example, "https://desk.example/"))

    assert entry.text == "It runs."


def test_the_example_of_an_updaters_answer_is_one():
    question, said = examples("http")
    source = Source(name="robot", kind="http", url="https://robot.example/")

    read = answer.read(said, "harbour-bridge", source, orjson.loads(question)["tick"], None)

    assert len(read.events) == 1
    assert read.cursor == {"report": 17}


def test_the_example_of_an_event_names_sources():
    (event,) = re.findall(r"```json\n(\{\"specversion.*?)```", PAGE, re.DOTALL)

    act = parse_event(orjson.loads(event)).act

    assert isinstance(act, Published)
    assert [source.name for source in act.pull or ()] == ["wire", "desk"]
