"""Who is next, and what goes wrong: a schedule is its seed and its number.

First come steps and mishaps as the dice fall, then a tail without mishaps, in which everybody
who was paused goes on, and after which nothing may be left to do. Every fourth schedule is a
*lossy* one: its engine may fail over to a replica that had heard less. Every third has embargoes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.simulation.actors import Client, Editor, Network, Reader, Releaser, Sweeper
from tests.simulation.article import NEWEST, Event
from tests.simulation.invariants import Violation, Watch, violated
from tests.simulation.model import Lane
from tests.simulation.renderer import Renderer
from tests.simulation.steps import RESTS, Dice, Step, Steps

LONGEST_TAIL = 120
#: Longer than any embargo, whatever became of the clock.
LONG = 100_000
CLIENTS = ("wire", "desk")
RENDERERS = ("render-1", "render-2", "render-3")
RELEASERS = ("ingest-1", "ingest-2")
SLUGS = ("bridge", "harbour", "storm")
UPDATES = ("u1", "u2", "u3", "u4")
ACTS = (
    *("posted",) * 10, *("corrected",) * 5, *("retracted",) * 2, *("writethru",) * 3,
    "closed", "reopened", "published", "killed",
)  # fmt: skip
FEW_ACTS = (*("posted",) * 3, *("corrected",) * 4, *("writethru",) * 4, "killed")


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: the protocol as it is, or with one of its parts replaced by a mutant's."""

    lane: type[Lane] = Lane
    client: type[Client] = Client
    renderer: type[Renderer] = Renderer
    sweeper: type[Sweeper] = Sweeper
    releaser: type[Releaser] = Releaser


PROTOCOL = Cast()
Actor = Client | Editor | Network | Reader | Releaser | Renderer | Sweeper


@dataclass(slots=True)
class Player:
    """An actor, where it stands, and until when it is paused."""

    actor: Actor
    steps: Steps[None] = field(init=False)
    paused_until: int = 0
    lives: int = 1

    def __post_init__(self) -> None:
        self.reconnect()

    def reconnect(self) -> None:
        """Start anew, with what it had in memory."""
        self.steps = self.actor.steps()

    def crash(self, rename: bool) -> None:
        """Start anew, with nothing in memory, as the same consumer or as another one."""
        actor = self.actor.renderer if isinstance(self.actor, Sweeper) else self.actor
        if isinstance(actor, Renderer):
            actor.warm.clear()
        if isinstance(self.actor, Renderer) and rename:
            self.lives += 1
            actor.name = f"{actor.name.partition('.')[0]}.{self.lives}"
        self.reconnect()


class Schedule:
    def __init__(self, seed: int, number: int, cast: Cast = PROTOCOL) -> None:
        self.seed, self.number = seed, number
        self.lossy = number % 4 == 3
        self.embargoes = number % 3 == 2
        self.least = 120 if self.lossy else 40
        self.trace: list[tuple[str, Step]] = []
        self.now = 0
        self.replica: Lane | None = None
        self.failover_at = 0
        self.dice = dice = Dice(f"{seed}/{number}")
        slugs = SLUGS[: 1 if self.lossy else 1 + int(dice.random() * 3)]
        self.lane = lane = cast.lane(slugs)
        self.clients = [cast.client(name, lane, dice, self.plan(name)) for name in CLIENTS]
        names = RENDERERS[: 1 + int(dice.random() * 3)]
        self.renderers = [Player(cast.renderer(name, lane, dice)) for name in names]
        sweeper = cast.sweeper("sweep", lane, cast.renderer("sweep", lane, dice))
        others: list[Actor] = [sweeper, Reader("reader", lane, dice), Network(self.clients)]
        if self.embargoes:
            releasers = [cast.releaser(name, lane) for name in RELEASERS]
            others += [*releasers, Editor(lane, dice)]
        self.players = [*self.renderers, *map(Player, self.clients), *map(Player, others)]
        # Some are fast and some are slow, in each schedule others.
        self.turns = [player for player in self.players for _ in range(dice.pick((1, 2, 4)))]
        self.trouble = dice.pick((0.03, 0.1, 0.2))
        self.faults = self.misfortunes()
        self.watch = Watch(lane, self.lossy)

    def plan(self, source: str) -> list[Event]:
        """Draw what a client means to file. Not all of it will be legal."""
        dice, slugs = self.dice, list(self.lane.articles)
        plan = [
            Event(slug, source, f"{source}-{slug}", "published", text="100", due=self.embargo(0.2))
            for slug in slugs
        ]
        # Where histories part, they should soon differ in the same places.
        acts, updates = (FEW_ACTS, UPDATES[:2]) if self.lossy else (ACTS, UPDATES)
        for n in range(self.least // 12 + int(dice.random() * 8)):
            act, slug = dice.pick(acts), dice.pick(slugs)
            update = dice.pick(updates) if act in {"posted", "corrected", "retracted"} else ""
            base = NEWEST if dice.chance(0.1) else None
            due = self.embargo(0.5) if act in {"posted", "writethru"} else 0
            plan.append(Event(slug, source, f"{source}-{n}", act, update, str(n + 1), base, due))
        return plan

    def embargo(self, probability: float) -> int:
        """Draw a time before which an event is held; most have none."""
        if not self.embargoes or not self.dice.chance(probability):
            return 0
        return 1 + int(self.dice.random() * 2 * self.least)

    def run(self) -> None:
        """Play it through; raises Failure where an invariant doesn't hold."""
        try:
            for now in range(self.least + int(self.dice.random() * 100)):
                self.now = now
                self.lane.time += 1
                self.turn()
            self.tail()
            self.watch.audit()
        except Violation as violation:
            raise Failure(self, violation) from None

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
        self.lane.time += LONG
        for _ in range(LONGEST_TAIL):
            for player in self.players:
                self.play(player)
            filed = not any(client.todo or client.late for client in self.clients)
            if filed and self.watch.settled():
                return
        violated("I7 never settles", (self.lane.dirty, self.lane.group))

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
        if self.lossy:
            return [self.crash, *[self.pause] * 3, *[self.freeze_replica] * 4]
        rare = [self.restart_engine, self.trim, self.lose_group, self.delete_consumer]
        clock = [self.step_clock] * 3 if self.embargoes else []
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
            self.failover_at = self.now + 5 + int(self.dice.random() * 60)
            self.note("replica hears no more")

    def fail_over(self, replica: Lane) -> None:
        """Go on with what the replica had. Clients file some of their last events again."""
        self.note("failover")
        self.lane.take_over(replica)
        self.replica = None
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
        super().__init__(f"{violation}\n{where}, {len(schedule.trace)} steps:\n{schedule.story()}")


def first_failure(cast: Cast, seed: int, schedules: int) -> Failure | None:
    """Return what the first of the *schedules* that breaks *cast* says, or None."""
    for number in range(schedules):
        try:
            Schedule(seed, number, cast).run()
        except Failure as failure:
            return failure
    return None
