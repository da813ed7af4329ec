"""What changed, in a newsroom's words: from the state that readers get, before and after.

A server sends state, not history, so an act is known by the difference that it made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Told:
    """One line: *act* in a word, *about* the update or article, *text* as short as fits a line."""

    act: str
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Known:
    """An article as it is known: the head's facts, and its updates by id."""

    head: Json
    updates: Mapping[str, Json]


def known(page: Json) -> Known:
    """Take in the whole article, as ``.json`` has it."""
    return Known(page, {update["update_id"]: update for update in page["updates"]})


def after(before: Known, change: Json) -> Known:
    """Return what is known after *change*."""
    changed = {each["update"]["update_id"]: each["update"] for each in change["changes"]}
    return Known(change["head"], {**before.updates, **changed})


def told(before: Known, change: Json) -> Iterator[Told]:
    """Say what *change*, one event of an article's stream, did to *before*."""
    slug, head = change["article"], change["head"]
    for each in change["changes"]:
        update = each["update"]
        yield from _update(before.updates.get(update["update_id"]), update)
    if "body" in change:
        yield Told("writethru", slug, one_line(head["headline"]))
    yield from _head(before.head, head, body="body" in change)


def thin(before: Json | None, change: Json) -> Told:
    """Say what *change*, one event of the stream of all articles, did to the head *before*."""
    slug, head = change["article"], change["head"]
    if head["status"] == "killed":
        return Told("killed", slug, one_line(head["note"]))
    headline = one_line(head["headline"])
    if not change["from"]:
        return Told("published", slug, headline)
    acts = [each.act for each in _head(before, head, body=False)] if before else []
    if before and head["update_count"] > before["update_count"]:
        acts.insert(0, "posted")
    elif before and head["update_count"] < before["update_count"]:
        acts.insert(0, "retracted")
    return Told(acts[0] if acts else "changed", slug, headline)


def _update(before: Json | None, update: Json) -> Iterator[Told]:
    name, note = update["update_id"], update["notes"][-1]["note"] if update["notes"] else ""
    noted = len(update["notes"]) > len(before["notes"] if before else ())
    if update["status"] == "retracted":
        if noted:
            yield Told("retracted", name, one_line(note))
    elif before is None:
        yield Told("posted", name, one_line(update["text"]))
    elif noted:
        yield Told("corrected", name, one_line(note))
    elif {**before, "version": 0} != {**update, "version": 0}:
        yield Told("revised", name, one_line(update["text"]))


def _head(before: Json, head: Json, *, body: bool) -> Iterator[Told]:
    slug = head["article"]
    if before["status"] != head["status"]:
        act = "closed" if head["status"] == "closed" else "reopened"
        yield Told(act, slug, one_line((head.get("note") or {}).get("note", "")))
    if before["headline"] != head["headline"] and not body:
        yield Told("writethru", slug, one_line(head["headline"]))
    if before["pinned"] != head["pinned"]:
        if head["pinned"] is None:
            yield Told("unpinned", before["pinned"], "")
        else:
            yield Told("pinned", head["pinned"], "")


def counted(number: int, noun: str) -> str:
    """Return *number* with its *noun*, as in "1 article" and "2 articles"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def one_line(text: str) -> str:
    """Return *text* fit for a terminal: one line, no control characters, not endless."""
    line = " ".join(_CONTROLS.sub(" ", text).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
