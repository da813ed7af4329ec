"""What a ledger's entry tells whoever reads an article: its history, and how old it is."""

from __future__ import annotations

from shared.article.stored import link_of, recorded_at
from shared.contract.canonical import short
from shared.runtime.clock import monotonic


def has_chain(record: bytes | None, chain12: str) -> bool:
    """Whether the history of *record* is the one that *chain12* names, up to there."""
    return record is not None and short(link_of(record).chain) == chain12


def filed_at(record: bytes | None, time: tuple[int, int]) -> float | None:
    """Return when *record* was filed, by our monotonic clock: the engine's says how long ago."""
    recorded = recorded_at(record) if record else None
    if recorded is None:
        return None
    seconds, micros = time
    return monotonic() - (seconds + micros / 1e6 - recorded / 1e3)
