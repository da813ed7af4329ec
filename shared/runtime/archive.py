"""The archive: a folder with what closed articles need no more memory for, a file an article.

A file has everything of an article at one version: what the engine held of it, to the byte, and its
ledger. Its name says which, so it is never written with other content:
`<slug>@<version>.<chain12>.r<fold revision>`. What is in it is checked whenever it is read.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from shared.article.stored import link_of
from shared.contract.canonical import short

FORMAT = 1
#: For the services' user and those who make backups.
FILE_MODE = 0o640
FOLDER_MODE = 0o750
ENDING = ".archive.gz"

_NAME = re.compile(r"([a-z0-9-]{1,128})@([0-9]{1,15})\.([0-9a-f]{12})\.r([0-9]{1,6})")
_UNFINISHED = ".unfinished"


class ArchiveError(Exception):
    """The archive can't be read or written; the message says what and why, and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which article at which version a file holds."""

    slug: str
    version: int
    chain12: str
    rev: int

    @property
    def name(self) -> str:
        """What the engine keeps of it."""
        return f"{self.slug}@{self.version}.{self.chain12}.r{self.rev}"


@dataclass(frozen=True, slots=True)
class Held:
    """What the engine holds of an article beside its ledger: *hashes* and sorted *sets* by name."""

    hashes: Mapping[str, Mapping[bytes, bytes]]
    sets: Mapping[str, Mapping[bytes, float]]


@dataclass(frozen=True, slots=True)
class Contents:
    """A file, checked."""

    place: Place
    held: Held
    records: tuple[bytes, ...]


def parse_place(name: str) -> Place:
    """Read a name; ArchiveError for what is none."""
    found = _NAME.fullmatch(name)
    if not found:
        raise ArchiveError("the engine names no file of an archive")
    return Place(found[1], int(found[2]), found[3], int(found[4]))


class Archive:
    """The files in *folder*. Everything here blocks; call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, place: Place, held: Held, records: Sequence[bytes]) -> Path:
        """Write a file, whole or not at all; it is on the disk when this returns.

        Raises:
            ArchiveError: it can't be written.
        """
        path = self._path(place)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}{_UNFINISHED}")
        try:
            path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            number = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
            with open(number, "wb") as file:
                os.fchmod(number, FILE_MODE)
                file.write(_packed(place, held, records))
                file.flush()
                os.fsync(number)
            unfinished.replace(path)
            for folder in (path.parent, self.folder):
                _sync(folder)
        except OSError as error:
            raise ArchiveError(f"{path} can't be written ({error.strerror})") from None
        finally:
            unfinished.unlink(missing_ok=True)
        return path

    def read(self, name: str) -> Contents:
        """Read the file of that name.

        Raises:
            ArchiveError: it is not there, or not what was written.
        """
        place = parse_place(name)
        path = self._path(place)
        try:
            return _unpacked(place, gzip.decompress(path.read_bytes()))
        except OSError as error:
            raise ArchiveError(f"{path} can't be read ({error.strerror or error})") from None
        except (ValueError, LookupError, TypeError, EOFError):
            raise ArchiveError(f"{path} is damaged; get it from a backup") from None

    def places(self) -> Iterator[Place]:
        """Yield what there are files of, in no order."""
        for path in self.folder.glob(f"*/*{ENDING}"):
            if found := _NAME.fullmatch(path.name.removesuffix(ENDING)):
                yield Place(found[1], int(found[2]), found[3], int(found[4]))

    def of(self, slug: str) -> list[Place]:
        """Return what there are files of *slug* of."""
        return [each for each in self._shelf(slug) if each.slug == slug]

    def _shelf(self, slug: str) -> Iterator[Place]:
        for path in self._folder(slug).glob(f"{slug}@*{ENDING}"):
            if found := _NAME.fullmatch(path.name.removesuffix(ENDING)):
                yield Place(found[1], int(found[2]), found[3], int(found[4]))

    def size(self, place: Place) -> int:
        """Return the size of a file in bytes; 0 if it is gone."""
        try:
            return self._path(place).stat().st_size
        except OSError:
            return 0

    def remove(self, place: Place) -> None:
        """Remove a file, if it is there.

        Raises:
            ArchiveError: it can't be removed.
        """
        path = self._path(place)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ArchiveError(f"{path} can't be removed ({error.strerror})") from None

    def _folder(self, slug: str) -> Path:
        digest = hashlib.sha1(slug.encode(), usedforsecurity=False).hexdigest()
        return self.folder / digest[:2]

    def _path(self, place: Place) -> Path:
        return self._folder(place.slug) / f"{place.name}{ENDING}"


def _packed(place: Place, held: Held, records: Sequence[bytes]) -> bytes:
    body = orjson.dumps(
        {
            "hashes": {name: _texts(fields) for name, fields in held.hashes.items()},
            "sets": {name: _texts(members) for name, members in held.sets.items()},
        },
        option=orjson.OPT_SORT_KEYS,
    )
    lines = b"".join(line + b"\n" for line in (body, *records))
    header = {
        "writethru": "archive",
        "format": FORMAT,
        "article": place.slug,
        "seq": place.version,
        "sha256": hashlib.sha256(lines).hexdigest(),
    }
    return gzip.compress(orjson.dumps(header) + b"\n" + lines, 6, mtime=0)


def _texts(fields: Mapping[bytes, bytes | float]) -> dict[str, Any]:
    return {
        name.decode(): value.decode() if isinstance(value, bytes) else value
        for name, value in fields.items()
    }


def _unpacked(place: Place, data: bytes) -> Contents:
    head, _, rest = data.partition(b"\n")
    header = orjson.loads(head)
    if (header["format"], header["article"], header["seq"]) != (FORMAT, place.slug, place.version):
        raise ValueError("another file")
    if hashlib.sha256(rest).hexdigest() != header["sha256"]:
        raise ValueError("other bytes")
    body, *records = rest.removesuffix(b"\n").split(b"\n")
    if len(records) != place.version or short(link_of(records[-1]).chain) != place.chain12:
        raise ValueError("another history")
    found = orjson.loads(body)
    hashes = {
        name: {field.encode(): value.encode() for field, value in fields.items()}
        for name, fields in found["hashes"].items()
    }
    sets = {
        name: {member.encode(): float(score) for member, score in members.items()}
        for name, members in found["sets"].items()
    }
    return Contents(place, Held(hashes, sets), tuple(records))


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
