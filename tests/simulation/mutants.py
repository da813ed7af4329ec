"""Protocols with one bug each. A simulator that finds none of them would prove nothing.

Each overrides one answer of the engine, or one habit of an actor, in a way that somebody might
well have written it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.simulation import mutants_of_following, mutants_of_redaction
from tests.simulation.actors import Client, Releaser, Sweeper
from tests.simulation.article import Entry, Event, Part, Position
from tests.simulation.cast import Cast
from tests.simulation.keys import Filed, Head, Keys, Plan, Receipt, Wakeup
from tests.simulation.model import Lane
from tests.simulation.redacting import Masks
from tests.simulation.renderer import Renderer, Stored, Wakeups
from tests.simulation.steps import Steps


class CommitWithoutCompare(Lane):
    """Whoever commits last wins."""

    def _same_version(self, keys: Keys, plan: Plan) -> bool:
        return True

    def _same_base(self, keys: Keys, plan: Plan) -> bool:
        return True


class CommitWithoutBase(Lane):
    """The version where the fold began is compared, its chain is not."""

    def _same_base(self, keys: Keys, plan: Plan) -> bool:
        return True

    def _at_base(self, keys: Keys, base: Position) -> bool:
        return keys.version == base[0]


class CommitWithoutLedger(Lane):
    """The chain where the fold ended is not compared with the ledger's."""

    def _same_history(self, keys: Keys, plan: Plan) -> bool:
        return True


class CommitWithoutBytes(Lane):
    """What went ahead is taken to be there."""

    def _bytes_there(self, keys: Keys, plan: Plan) -> bool:
        return True


class WithdrawBlindly(Lane):
    """What went ahead in vain is removed, even if somebody else made it current."""

    def _current(self, keys: Keys, ref: str) -> bool:
        return False


class AckBeyondVersion(Lane):
    """A commit acks its whole batch."""

    def _covered(self, keys: Keys, wakeup: Wakeup) -> bool:
        return True


class CleanTooSoon(Lane):
    """A commit takes the article out of the dirty set, whatever came meanwhile."""

    def _up_to_date(self, keys: Keys) -> bool:
        return True


class DedupeApart(Client):
    """Ingest looks the id up, then appends: two calls."""

    def ingest(self, event: Event) -> Steps[Receipt]:
        known = self.lane.known(event)
        yield "looks up", event.id, known
        if known is not None:
            return known
        receipt = self.lane.refused(event) or self.lane.store(event)
        yield "files", event.slug, event.id, *receipt
        return receipt


class Reservations(Lane):
    def __init__(self, slugs: Sequence[str]) -> None:
        super().__init__(slugs)
        self.reserved: set[tuple[str, ...]] = set()


class DedupeFirst(Client):
    """Ingest reserves the id (SET NX), then appends: who crashes between has lost the event."""

    def ingest(self, event: Event) -> Steps[Receipt]:
        assert isinstance(self.lane, Reservations)
        key, reserved = (event.slug, *event.key), self.lane.reserved
        known = key in reserved
        reserved.add(key)
        yield "reserves", event.id, known
        if known:
            return self.lane.known(event) or Receipt("duplicate")
        receipt = yield from super().ingest(event)
        if receipt.status == "rejected":
            reserved.discard(key)
        return receipt


class JudgedApart(Client):
    """Ingest asks whether the act is legal, then appends: two calls."""

    def ingest(self, event: Event) -> Steps[Receipt]:
        refused = self.lane.refused(event)
        yield "judges", event.id, refused
        receipt = self.lane.known(event) or refused or self.lane.store(event)
        yield "files", event.slug, event.id, *receipt
        return receipt


class WakeApart(Client):
    """Ingest writes the ledger, then rings: two calls."""

    def ingest(self, event: Event) -> Steps[Receipt]:
        lane = self.lane
        receipt = lane.known(event) or lane.refused(event) or lane.write_ledger(event)
        yield "files", event.slug, event.id, *receipt
        if receipt.status == "accepted":
            lane.wake(event, receipt.seq)
        return receipt


class NoLookAtBase(Renderer):
    """Entries are folded, and nobody asks whether they go on from what is at hand."""

    def follows(self, position: Position, entry: Entry) -> bool:
        return True


class AckFirst(Renderer):
    """The batch is acked when it is read."""

    def render(self, slug: str, wakeups: Wakeups = ()) -> Steps[None]:
        self.lane.ack(wakeup.id for wakeup in wakeups)
        yield "acks", *wakeups
        yield from super().render(slug, wakeups)


class CleansApart(Renderer):
    """The copy of a killed article is removed after the commit that found it killed."""

    def settle(self, slug: str, filed: Filed, before: Stored, wakeups: Wakeups) -> Steps[str]:
        outcome = yield from super().settle(slug, filed, before, wakeups)
        if outcome == "done" and before.head.status == "killed":
            self.lane._remove_copy(slug, self.lane.articles[slug])
            yield "removes copy of", slug
        return outcome


class WarmByVersion(Renderer):
    """What is at hand is taken for current by its version alone."""

    def at(self, filed: Filed, head: Head) -> bool:
        return filed.position[0] == head.version

    def follows(self, position: Position, entry: Entry) -> bool:
        return True


class ReadsApart(Renderer):
    """Updates and pages are read, and nobody asks whether they are of the version at hand."""

    def still(self, filed: Filed, head: Head) -> bool:
        return True


class NamesWithoutChain(Renderer):
    """Bytes go ahead under names that say which version they are of, not of which history."""

    def ref(self, part: Part) -> str:
        return f"{part.name}@{part.version}"


class NamesWithoutVersion(Renderer):
    """Bytes go ahead under the update's own name."""

    def ref(self, part: Part) -> str:
        return part.name


class NoSweep(Sweeper):
    """What nobody is woken for is never rendered."""

    def steps(self) -> Steps[None]:
        while True:
            yield ("sleeps",)


class HoldsByAct(Lane):
    """Only the event's own embargo is asked for: acts on what is held go straight in."""

    def _builds_on(self, keys: Keys, event: Event) -> bool:
        return False


class KillLeavesHeld(Lane):
    """A kill takes the article down, and nobody thinks of what is held of it."""

    def held_back(self, event: Event, masks: Masks) -> Receipt | None:
        return None if event.act == "killed" else super().held_back(event, masks)


class ReleasedUnjudged(Lane):
    """What was legal when it was filed is taken to be legal for ever."""

    def _problem(self, keys: Keys, event: Event) -> str | None:
        return None


class ReleasedByAnothersClock(Lane):
    """Who asks for releases brings the time, which is not quite the engine's."""

    def due(self) -> list[str]:
        return [slug for slug, at in self.held.items() if at <= self.time + 5]

    def release(self, slug: str, picked: tuple[str, str] | None = None) -> list[Event]:
        self.time += 5
        released = super().release(slug, picked)
        self.time -= 5
        return released


class ReleasedApart(Releaser):
    """What is due is read, then appended, then taken out of what is held: three calls."""

    def release(self, slug: str) -> Steps[None]:
        lane, keys = self.lane, self.lane.articles[slug]
        holds = [hold for hold in keys.holds.values() if hold.event.due <= lane.time]
        yield "reads due of", slug
        for hold in holds:
            if not lane._behind(keys, hold.event) and not lane._problem(keys, hold.event):
                lane.store(hold.event)
                yield "releases of", slug, hold.event.id
                keys.holds.pop(hold.event.key, None)
                lane._expect(slug)
                yield "takes out of", slug, hold.event.id


class TakenOutFirst(Releaser):
    """What is due is taken out, and then appended: who dies between has lost it."""

    def release(self, slug: str) -> Steps[None]:
        lane, keys = self.lane, self.lane.articles[slug]
        for hold in [hold for hold in keys.holds.values() if hold.event.due <= lane.time]:
            if hold.event.key not in keys.holds or lane._behind(keys, hold.event):
                continue
            del keys.holds[hold.event.key], keys.seen[hold.event.key]
            lane._expect(slug)
            yield "takes out of", slug, hold.event.id
            if not lane._problem(keys, hold.event):
                lane.store(hold.event)
            yield "releases of", slug, hold.event.id


LOSSY = ("lossy",)

MUTANTS: Mapping[str, Cast] = {
    "commit without compare": Cast(lane=CommitWithoutCompare),
    "commit without the base's chain": Cast(
        lane=CommitWithoutBase,
        renderer=NoLookAtBase,
        shows=LOSSY,
        seen=326_759,
    ),
    "commit without the ledger's chain": Cast(lane=CommitWithoutLedger, shows=LOSSY),
    "commit without the bytes": Cast(lane=CommitWithoutBytes),
    "withdraw blindly": Cast(lane=WithdrawBlindly),
    "ack beyond the version": Cast(lane=AckBeyondVersion),
    "clean too soon": Cast(lane=CleanTooSoon),
    "dedupe apart from append": Cast(client=DedupeApart),
    "dedupe before append": Cast(lane=Reservations, client=DedupeFirst),
    "legality apart from append": Cast(client=JudgedApart),
    "wake-up apart from append": Cast(client=WakeApart),
    "ack first": Cast(renderer=AckFirst),
    "warm copy by version only": Cast(renderer=WarmByVersion, shows=LOSSY),
    "clean apart from commit": Cast(renderer=CleansApart),
    "updates read apart": Cast(renderer=ReadsApart),
    "names without chain": Cast(renderer=NamesWithoutChain, shows=LOSSY),
    "names without version": Cast(renderer=NamesWithoutVersion),
    "no sweep": Cast(sweeper=NoSweep),
    "acts on held ones not held": Cast(lane=HoldsByAct),
    "kill leaves what is held": Cast(lane=KillLeavesHeld),
    "released unjudged": Cast(lane=ReleasedUnjudged),
    "released by another's clock": Cast(lane=ReleasedByAnothersClock),
    "released twice": Cast(releaser=ReleasedApart),
    "lost at release": Cast(releaser=TakenOutFirst),
    **mutants_of_redaction.MUTANTS,
    **mutants_of_following.MUTANTS,
}
