"""What clients mean to file. Not all of it will be legal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.article import NEWEST, Event
from tests.simulation.steps import Dice

ABOUT_UPDATES = frozenset({"posted", "corrected", "retracted", "redacted"})
SLUGS = ("bridge", "harbour", "storm")
UPDATES = ("u1", "u2", "u3", "u4")
ACTS = (
    *("posted",) * 10, *("corrected",) * 5, *("retracted",) * 2, *("writethru",) * 3,
    "closed", "reopened", "published", "killed",
)  # fmt: skip
REDACTING_ACTS = (
    *("posted",) * 4, *("corrected",) * 4, *("redacted",) * 3, "retracted", "writethru", "killed",
)  # fmt: skip
FEW_ACTS = (*("posted",) * 3, *("corrected",) * 4, *("writethru",) * 4, "killed")


@dataclass(frozen=True, slots=True)
class Traits:
    """What a schedule, by its number, is about; *least* is how long it takes, in steps.

    Every fourth is *lossy*: its engine may fail over to a replica that had heard less. Every third
    has *embargoes*, two in five have *redactions*, two in seven have *followers*.
    """

    lossy: bool
    embargoes: bool
    redactions: bool
    followers: bool

    @classmethod
    def of(cls, number: int) -> Traits:
        return cls(number % 4 == 3, number % 3 == 2, number % 5 in {1, 3}, number % 7 in {2, 5})

    def has(self, names: Sequence[str]) -> bool:
        """Whether it has all traits that *names* says."""
        return all(getattr(self, name) for name in names)

    @property
    def least(self) -> int:
        return 120 if self.lossy else 40

    @property
    def acts(self) -> Sequence[str]:
        if self.lossy:
            return (*FEW_ACTS, *("redacted",) * 2) if self.redactions else FEW_ACTS
        return REDACTING_ACTS if self.redactions else ACTS

    @property
    def updates(self) -> Sequence[str]:
        # Where histories part, they should soon differ in the same places.
        return UPDATES[:2] if self.lossy or self.redactions else UPDATES

    def slugs(self, dice: Dice) -> Sequence[str]:
        return SLUGS[: 1 if self.lossy or self.redactions else 1 + int(dice.random() * 3)]

    def plan(self, source: str, slugs: Sequence[str], dice: Dice) -> list[Event]:
        """Draw what a client files: it opens articles, then acts on them."""
        plan = [
            Event(
                slug, source, f"{source}-{slug}", "published", text=source, due=self.due(dice, 0.2)
            )
            for slug in slugs
        ]
        for n in range(self.least // 12 + int(dice.random() * 8)):
            act, slug = dice.pick(self.acts), dice.pick(slugs)
            update = dice.pick(self.updates) if act in ABOUT_UPDATES else ""
            base = NEWEST if dice.chance(0.1) else None
            due = self.due(dice, 0.5) if act in {"posted", "writethru"} else 0
            check = self.embargoes and act in {"posted", "corrected"} and dice.chance(0.15)
            word = f"{source}{n}"
            plan.append(Event(slug, source, f"{source}-{n}", act, update, word, base, due, check))
        return plan

    def due(self, dice: Dice, probability: float) -> int:
        """Draw a time before which an event is held; most have none."""
        if not self.embargoes or not dice.chance(probability):
            return 0
        return 1 + int(dice.random() * 2 * self.least)
