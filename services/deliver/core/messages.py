"""Which messages a subscriber is to get about an article: worked out of its ledger. Pure.

Nothing is queued. A subscriber stands at a version of each article; what lies between that and the
article's own is divided into messages when it is time to send one. Ordinary changes that wait
become one message. A correction, a retraction, a redaction and a kill are each the end of one, so
that each is told, by its own name, whatever came after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.deliver.core.subscription import NEVER_COLLAPSED
from shared.article.article import Mark
from shared.contract.notices import OVERDUE

#: The type of a message about changes that may have been several.
CHANGED = "writethru.article.changed"
TESTED = "writethru.subscription.tested"


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a ledger: its place in the history, and its *kind* if that can be read."""

    seq: int
    chain: str
    kind: str | None
    recorded: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What is told at once: the change of an article from *start* to version *to*.

    *reset*: the subscriber's history is not ours, or not any more; there is no telling what
    changed. *recorded* is when its last event was filed, in the engine's milliseconds; of one that
    says that an article is overdue, since when it is.
    """

    start: Mark
    to: int
    chain: str
    kinds: tuple[str, ...] = ()
    kind: str = CHANGED
    reset: bool = False
    recorded: int | None = None

    @property
    def end(self) -> Mark:
        """Where a subscriber stands who has it."""
        return Mark(self.to, self.chain[:12])


def next_message(
    told: Mark, steps: Sequence[Step], wants: Callable[[str | None], bool]
) -> Message | None:
    """Return what is to be told to one who stands at *told*; None if no step is wanted.

    *steps* are those that follow, without a gap, as far as they are to be told.
    """
    end, wanted = 0, False
    for place, step in enumerate(steps, start=1):
        if not wants(step.kind):
            continue
        if step.kind in NEVER_COLLAPSED:
            return _message(told, steps[:place] if not wanted else steps[:end])
        end, wanted = place, True
    return _message(told, steps[:end]) if wanted else None


def reset(told: Mark, last: Step) -> Message:
    """Return what is said to one whose history is not ours: where ours ends."""
    return Message(told, last.seq, last.chain, reset=True, recorded=last.recorded)


def overdue(told: Mark, chain: str, since: int) -> Message:
    """Return what is said to one who has all of an article that is overdue *since* then."""
    return Message(told, told.version, chain, (OVERDUE,), OVERDUE, recorded=since)


def _message(told: Mark, steps: Sequence[Step]) -> Message:
    last = steps[-1]
    kinds = tuple(dict.fromkeys(step.kind for step in steps if step.kind))
    kind = last.kind if last.kind in NEVER_COLLAPSED else CHANGED
    return Message(told, last.seq, last.chain, kinds, kind or CHANGED, recorded=last.recorded)


def message_id(subscription_id: str, article: str, message: Message, replays: int) -> str:
    """Return the `webhook-id`: the same for the same message, whoever sends it, however often.

    A replay asks for messages to be taken again, so *replays*, how many there were, is part of it.
    """
    told = f"{message.start.version}.{message.to}.{message.chain}.{int(message.reset)}"
    name = f"{subscription_id}\n{article}\n{told}\n{replays}"
    return f"msg_{hashlib.sha256(name.encode()).hexdigest()[:32]}"
