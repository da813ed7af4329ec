"""The log of what a publisher has filed: each event before it is sent, each receipt after.

    {"event":{"specversion":"1.0","id":"update-7",…}}
    {"receipt":{"id":"update-7","source":"/newsroom/cms","article":"harbour-bridge",…}}

An event is on the disk before it goes out, so whatever ends the publisher, the log has all that
ingest may have. A receipt that is lost makes its event look open, and so it is sent again.
docs/events.md is the documentation.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import orjson

from services.cli.failure import Failure
from services.cli.sending import STORED, Receipt

_OWNER_ONLY = 0o600


class Name(NamedTuple):
    """What an event is known by."""

    article: str
    source: str
    id: str


@dataclass(frozen=True, slots=True)
class Filed:
    """An event as it was sent, and what its receipt says of it, if there is one."""

    name: Name
    text: str
    receipt: Receipt | None = None

    @property
    def stored(self) -> bool:
        """Whether a receipt ever said that it is stored."""
        return self.receipt is not None and self.receipt["status"] in STORED

    @property
    def refused(self) -> bool:
        """Whether nothing was stored, as far as the publisher was told."""
        return self.receipt is not None and self.receipt["status"] == "rejected"

    @property
    def place(self) -> tuple[int, str] | None:
        """Return seq and chain; None while it is open, or held."""
        if self.receipt is None or self.receipt.get("seq") is None:
            return None
        return self.receipt["seq"], self.receipt["chain"]


class FilingLog:
    """The log at *path*, for one publisher at a time; it is made if need be, its owner's only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            self._file = os.fdopen(os.open(path, flags, _OWNER_ONLY), "r+b")
        except OSError as error:
            raise Failure(f"{path} can't be written ({error.strerror}); check its name") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            said = f"{path} is in use by another publish; give each a log of its own"
            raise Failure(said) from None
        whole = self._file.read().rpartition(b"\n")
        self._file.truncate(len(whole[0]) + len(whole[1]))  # a crash may have torn the last line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._keep()
        self._file.close()

    def filed(self) -> list[Filed]:
        """Return every event in the order of filing, each with its last receipt.

        One that was refused and then sent again stands where it was sent again.

        Raises:
            Failure: it is no such log.
        """
        found: dict[Name, Filed] = {}
        self._file.seek(0)
        for number, line in enumerate(self._file.read().split(b"\n")[:-1], start=1):
            try:
                _take(found, line)
            except (LookupError, TypeError, ValueError):
                raise Failure(
                    f"{self._path}, line {number}: is no line of a log; give the file that "
                    "`writethru publish --log` has written"
                ) from None
        return list(found.values())

    def intend(self, events: Sequence[str]) -> None:
        """Note that *events*, each a line of JSON, are about to be sent."""
        lines = [f'{{"event":{text}}}\n' for text in events if name_of(text)]
        self._file.write("".join(lines).encode())
        self._keep()

    def note(self, receipt: Receipt) -> None:
        """Note what became of an event; what was no event, or has no outcome, has no name."""
        if "id" in receipt:
            self._file.write(orjson.dumps({"receipt": receipt}) + b"\n")

    def _keep(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


def name_of(text: str) -> Name | None:
    """Return what the event in *text* is known by; None if ingest can't know it by anything."""
    try:
        event = orjson.loads(text)
        name = Name(event["subject"], event["source"], event["id"])
    except (LookupError, TypeError, ValueError):
        return None
    return name if all(isinstance(part, str) for part in name) else None


def _take(found: dict[Name, Filed], line: bytes) -> None:
    facts = orjson.loads(line)
    if "event" in facts:
        text = line.decode().removeprefix('{"event":').removesuffix("}")
        name = name_of(text)
        if name is None:
            raise ValueError("an event without a name")
        if name not in found or found[name].refused:
            found.pop(name, None)
            found[name] = Filed(name, text)
        return
    receipt = facts["receipt"]
    name = Name(receipt["article"], receipt["source"], receipt["id"])
    before = found[name]
    # A refusal takes nothing back of what an earlier receipt has said.
    if receipt["status"] in STORED or not before.stored:
        found[name] = Filed(name, before.text, receipt)
