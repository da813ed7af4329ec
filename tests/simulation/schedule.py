"""Who is next, and what goes wrong: a schedule is its seed and its number.

First come steps and mishaps as the dice fall, then a tail without mishaps, in which everybody
who was paused goes on, and after which nothing may be left to do. `plans.py` says what schedules
there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from tests.simulation.actors import Editor, Network, Reader
from tests.simulation.cast import PROTOCOL, Actor, Cast, Player
from tests.simulation.invariants import Violation, Watch, violated
from tests.simulation.model import Lane
from tests.simulation.plans import Traits
from tests.simulation.redacting import Destroyer
from tests.simulation.steps import RESTS, Dice, Step

LONGEST_TAIL = 400
#: Longer than any embargo, whatever became of the clock.
LONG = 100_000
NEVER = 10**9
STEPS_OF_A_SLEEPER = 12
CLIENTS = ("wire", "desk")
RENDERERS = ("render-1", "render-2", "render-3")
RELEASERS = ("ingest-1", "ingest-2")
FOLLOWERS = ("page-1", "page-2")
DESTROYERS = ("destroy-1", "destroy-2")


class Schedule:
    def __init__(self, seed: int, number: int, cast: Cast = PROTOCOL) -> None:
        self.seed, self.number, self.cast = seed, number, cast
        self.traits = traits = Traits.of(number)
        self.trace: list[tuple[str, Step]] = []
        self.now = 0
        self.replica: Lane | None = None
        self.failover_at = 0
        self.dice = dice = Dice(f"{seed}/{number}")
        slugs = traits.slugs(dice)
        self.lane = lane = cast.lane(slugs)
        plans = {name: traits.plan(name, slugs, dice) for name in CLIENTS}
        self.clients = [cast.client(name, lane, dice, plan) for name, plan in plans.items()]
        self.deliver = cast.deliver(lane)
        self.followers = [
            cast.follower(name, dice.pick(slugs), self.deliver, dice)
            for name in (FOLLOWERS if traits.followers else ())
        ]
        names = RENDERERS[: 1 + int(dice.random() * 3)]
        self.renderers = [Player(cast.renderer(name, lane, dice)) for name in names]
        self.players = [*self.renderers, *map(Player, self.clients), *map(Player, self.others())]
        # Some are fast and some are slow, in each schedule others.
        self.turns = [player for player in self.players for _ in range(self.turns_of(player))]
        self.trouble = dice.pick((0.03, 0.1, 0.2))
        self.faults = self.misfortunes()
        self.watch = Watch(lane, traits.lossy, [event for plan in plans.values() for event in plan])

    def others(self) -> Iterator[Actor]:
        """Cast whoever neither files nor renders what it is woken for."""
        cast, lane, dice = self.cast, self.lane, self.dice
        yield cast.sweeper("sweep", lane, cast.renderer("sweep", lane, dice))
        yield Reader("reader", lane, dice)
        yield Network(self.clients)
        if self.traits.embargoes:
            yield from (cast.releaser(name, lane) for name in RELEASERS)
            yield Editor(lane, dice)
        if self.traits.followers:
            yield cast.hub(self.deliver)
            yield cast.teller(self.deliver)
            yield from self.followers
        if self.traits.redactions:
            yield from (cast.destroyer(name, lane, dice) for name in DESTROYERS)

    def turns_of(self, player: Player) -> int:
        # What takes many steps has to come to its end while others are late, at times.
        return self.dice.pick((2, 4, 12) if isinstance(player.actor, Destroyer) else (1, 2, 4))

    def run(self) -> None:
        """Play it through; raises Failure where an invariant doesn't hold."""
        try:
            for now in range(self.traits.least + int(self.dice.random() * 100)):
                self.now = now
                self.lane.time += 1
                self.turn()
            self.tail()
            self.watch.audit()
            self.watch.destroyed()
        except Violation as violation:
            raise Failure(self, violation) from None
        finally:
            # They know us and we know them: with that undone, nobody has to look for what is over.
            self.faults.clear()
            self.deliver.die()

    def turn(self) -> None:
        if self.replica and self.now >= self.failover_at:
            self.fail_over(self.replica)
        if self.dice.chance(self.trouble):
            self.dice.pick(self.faults)()
        player = self.dice.pick(self.turns)
        if player.paused_until <= self.now:
            self.play(player)

    def tail(self) -> None:
        self.dice.calm = True
        self.lane.deaf, self.replica = False, None
        self.lane.time += LONG
        first, second = self.clients
        for _ in range(LONGEST_TAIL):
            for player in self.players:
                if player.paused_until < NEVER:
                    self.play(player)
            if first.todo or first.late or second.todo or second.late:
                continue
            if self.watch.settled() and self.told() and not self.wake():
                return
        if self.watch.settled() and not self.told():
            violated("I7 a reader lacks what is there", [each.page for each in self.followers])
        violated("END never settles", (self.lane.dirty, self.lane.group, self.lane.notes()))

    def told(self) -> bool:
        """Whether every reader has what there is."""
        return all(follower.current for follower in self.followers)

    def wake(self) -> bool:
        """Let those go on who slept through it all; return whether there are any."""
        sleepers = [player for player in self.players if player.paused_until >= NEVER]
        for player in sleepers:
            self.note("wakes", player.actor.name)
            player.paused_until = 0
            for _ in range(STEPS_OF_A_SLEEPER):
                self.play(player)
        return bool(sleepers)

    def play(self, player: Player) -> None:
        step = next(player.steps)
        if step is not RESTS:
            self.trace.append((player.actor.name, step))
            self.watch.step()

    def met(self) -> Iterator[str]:
        """Return what happened, in a word or two a step."""
        return (str(what[0]) for _, what in self.trace)

    def story(self) -> str:
        """Return the trace, one step a line; `!` is misfortune."""
        lines = enumerate(self.trace)
        return "\n".join(f"{n:4} {who:<10} {' '.join(map(str, what))}" for n, (who, what) in lines)

    # -- misfortunes ----------------------------------------------------------------------

    def misfortunes(self) -> list[Callable[[], None]]:
        """Return what may happen, each as often as it is likely."""
        if self.traits.lossy:
            return [self.crash, *[self.pause] * 3, *[self.freeze_replica] * 4]
        late = [self.sleep] * 4 if self.traits.redactions else []
        rare = [
            *late,
            self.restart_engine,
            self.trim,
            self.trim_changes,
            self.lose_group,
            self.delete_consumer,
        ]
        clock = [self.step_clock] * 3 if self.traits.embargoes else []
        return [*[self.crash] * 6, *[self.pause] * 6, *rare, *clock]

    def note(self, what: str, *about: object) -> None:
        self.trace.append(("!", (what, *about)))

    def crash(self) -> None:
        player = self.dice.pick(self.players)
        self.note("crash of", player.actor.name)
        player.crash(rename=self.dice.chance(0.5))

    def pause(self) -> None:
        self.hold(self.dice.pick(self.players))

    def hold(self, player: Player) -> None:
        player.paused_until = self.now + int(self.dice.random() ** 2 * 80)
        self.note("pause of", player.actor.name)

    def sleep(self) -> None:
        """Stop a renderer until all is done, and then let it go on where it stood."""
        player = self.dice.pick(self.renderers)
        player.paused_until = NEVER
        self.note("sleep of", player.actor.name)

    def step_clock(self) -> None:
        by = int((self.dice.random() - 0.5) * 60)
        self.lane.time = max(0, self.lane.time + by)
        self.note("clock steps by", by)

    def restart_engine(self) -> None:
        """It comes back with everything; some connections don't, and calls end with an error."""
        self.note("engine restart")
        for player in self.players:
            if self.dice.chance(0.5):
                player.reconnect()

    def trim(self) -> None:
        self.lane.trim_events()
        self.note("events trimmed")

    def trim_changes(self) -> None:
        self.lane.trim_changes()
        self.note("outbox trimmed")

    def lose_group(self) -> None:
        self.lane.lose_group()
        self.note("group lost")

    def delete_consumer(self) -> None:
        player = self.dice.pick(self.renderers)
        self.lane.delete_consumer(player.actor.name)
        self.note("consumer deleted", player.actor.name)

    def freeze_replica(self) -> None:
        if self.replica is None:
            self.replica = self.lane.copy()
            self.lane.deaf = True
            self.failover_at = self.now + 5 + int(self.dice.random() ** 2 * 60)
            self.note("replica hears no more")

    def fail_over(self, replica: Lane) -> None:
        """Go on with what the replica had. Clients file some of their last events again."""
        self.note("failover")
        self.lane.take_over(replica)
        self.lane.deaf, self.replica = False, None
        self.watch.audit()
        for client in self.clients:
            last = client.acked[-6:]
            client.send_again(last[::-1] if self.dice.chance(0.6) else last)
        for player in self.players:
            if self.dice.chance(0.2):
                player.reconnect()
            elif self.dice.chance(0.4):
                self.hold(player)


class Failure(Exception):
    """A schedule that broke the protocol, with every step that led to it."""

    def __init__(self, schedule: Schedule, violation: Violation) -> None:
        self.number, self.rule = schedule.number, violation.rule
        where = f"seed {schedule.seed}, schedule {schedule.number}"
        replay = f"python -m tests.simulation --seed {schedule.seed} --only {schedule.number}"
        told = f"{where}, {len(schedule.trace)} steps; to see it again: {replay}"
        super().__init__(f"{violation}\n{told}\n{schedule.story()}")


def first_failure(cast: Cast, seed: int, numbers: Iterable[int]) -> Failure | None:
    """Return what the first of the schedules *numbers* that breaks *cast* says, or None."""
    first = () if cast.seen is None else (cast.seen,)
    for number in chain(first, numbers):
        if not Traits.of(number).has(cast.shows):
            continue
        try:
            Schedule(seed, number, cast).run()
        except Failure as failure:
            return failure
    return None
