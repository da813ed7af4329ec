"""A reader's program, written from the contract alone: it holds an article and applies changes."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]


class Follower:
    """Holds what `.json` said once, and keeps it true by what `changes` or a stream says."""

    def __init__(self, document: Json) -> None:
        self.document = copy.deepcopy(document)

    @property
    def version(self) -> int:
        version: int = self.document["version"]
        return version

    @property
    def since(self) -> str:
        return f"{self.version}.{self.document['chain'][:12]}"

    def apply(self, news: Json) -> None:
        """Take one `changes` document, and complain of what the contract does not allow."""
        assert news["reset"] is False
        assert news["article"] == self.document["article"]
        assert news["from"] == self.version, "what is told begins elsewhere than we are"
        assert news["to"] > news["from"]
        updates = self.document["updates"]
        self.document = {
            **news["head"],
            "body": news.get("body", self.document["body"]),
            "updates": updates,
        }
        assert (news["to"], news["chain"]) == (self.version, self.document["chain"])
        named = [change["update"]["update_id"] for change in news["changes"]]
        assert len(named) == len(set(named)), "an update is told of twice"
        for change in news["changes"]:
            _apply(updates, change, news["from"])


def _apply(updates: list[Json], change: Json, since: int) -> None:
    update = change["update"]
    assert update["version"] > since, "nothing of this update has changed"
    places = [
        place for place, each in enumerate(updates) if each["update_id"] == update["update_id"]
    ]
    if change["kind"] == "added":
        assert not places
    if change["kind"] == "changed":
        assert places
    assert (change["kind"] == "retracted") == (update["status"] == "retracted")
    for place in places:
        del updates[place]
    ids = [each["update_id"] for each in updates]
    at = 0 if change["after"] is None else ids.index(change["after"]) + 1
    updates.insert(at, update)
