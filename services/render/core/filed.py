"""What append and commit agree on about an article, and whether its ledger goes on from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.article.article import Head
from shared.article.fold import FOLD_REVISION
from shared.article.stored import link_of
from shared.contract.canonical import link

#: The fields of `article:<slug>`, in the order that `read_filed` takes them.
FIELDS = ("seq", "version", "version_chain", "rev")


class LedgerError(Exception):
    """The ledger has fewer events than were accepted; only a backup can mend that."""


@dataclass(frozen=True, slots=True)
class Filed:
    """*seq* events are in the ledger; *version*, its *chain* and fold revision are committed."""

    seq: int
    version: int
    chain: str
    rev: int

    def at(self, head: Head) -> bool:
        """Whether *head* is what is committed."""
        return (self.version, self.chain, self.rev) == (head.version, head.chain, FOLD_REVISION)


def read_filed(facts: Sequence[bytes | None]) -> Filed:
    seq, version, chain, rev = facts
    return Filed(
        int(seq or 0), int(version or 0), (chain or b"").decode(), int(rev or FOLD_REVISION)
    )


def follows(head: Head, record: bytes) -> bool:
    """Whether the ledger goes on from *head*, and not from another history."""
    entry = link_of(record)
    expected = link(head.chain, head.version + 1, entry.fingerprint)
    return (entry.seq, entry.chain) == (head.version + 1, expected)


def present(names: Sequence[str], values: Any) -> dict[str, str]:
    """Return *values* by their names, without those that are not there."""
    pairs = zip(names, values, strict=True)
    return {name: value.decode() for name, value in pairs if value is not None}
