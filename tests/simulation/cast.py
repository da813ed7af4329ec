"""Who plays: the protocol's own actors or a mutant's, and where each of them stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.simulation.actors import Client, Editor, Network, Reader, Releaser, Sweeper
from tests.simulation.following import Deliver, Follower, Hub, Teller
from tests.simulation.model import Lane
from tests.simulation.redacting import Destroyer
from tests.simulation.renderer import Renderer
from tests.simulation.steps import Steps


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: the protocol as it is, or with one of its parts replaced by a mutant's.

    *shows* names the traits of the schedules in which that can be seen at all, or soonest; *seen*
    is one in which a rare bug was seen, of seed 1, and is tried first.
    """

    lane: type[Lane] = Lane
    client: type[Client] = Client
    renderer: type[Renderer] = Renderer
    sweeper: type[Sweeper] = Sweeper
    releaser: type[Releaser] = Releaser
    destroyer: type[Destroyer] = Destroyer
    deliver: type[Deliver] = Deliver
    hub: type[Hub] = Hub
    teller: type[Teller] = Teller
    follower: type[Follower] = Follower
    shows: tuple[str, ...] = ()
    seen: int | None = None


PROTOCOL = Cast()
Actor = (
    Client
    | Destroyer
    | Editor
    | Follower
    | Hub
    | Network
    | Reader
    | Releaser
    | Renderer
    | Sweeper
    | Teller
)


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
        if isinstance(actor, Hub | Teller):
            actor.deliver.die()
        if isinstance(self.actor, Renderer) and rename:
            self.lives += 1
            actor.name = f"{actor.name.partition('.')[0]}.{self.lives}"
        self.reconnect()
