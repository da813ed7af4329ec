"""Who else works on the lane: readers, the sweeper, clients and the network between.

What an actor keeps in `self` outlives a lost connection; a crash takes a renderer's memory too.
A client writes down what it means to send and what was acknowledged, so it keeps both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from tests.simulation.article import NEWEST, Event, State
from tests.simulation.keys import Receipt
from tests.simulation.model import Lane
from tests.simulation.redacting import Masks
from tests.simulation.renderer import Renderer
from tests.simulation.steps import RESTS, Dice, Steps
from tests.simulation.stream import NoGroup


class Reader:
    """Reads as deliver does, and takes what it read to the invariants."""

    def __init__(self, name: str, lane: Lane, dice: Dice) -> None:
        self.name, self.lane, self.dice = name, lane, dice
        self.slugs = list(lane.articles)

    def steps(self) -> Steps[None]:
        while True:
            if self.dice.calm:
                yield RESTS
                continue
            slug = self.dice.pick(self.slugs)
            head, refs = self.lane.read_head(slug)
            yield "reads page of", slug, head.version
            wanted = (head.body, *refs) if head.body else refs
            parts = self.lane.read_parts(slug, wanted)
            if len(parts) < len(wanted):
                yield "finds a commit came between on", slug
                continue
            body = parts.pop(0) if head.body else None
            state = State(*head.position, head.status, body, *head[4:], tuple(parts))
            self.lane.evidence.pages.append((slug, state))
            yield "has page of", slug, head.version


class Sweeper:
    """Renders whatever is behind, the oldest first, and sees to wake-ups that nobody acked."""

    def __init__(self, name: str, lane: Lane, renderer: Renderer) -> None:
        self.name, self.lane, self.renderer = name, lane, renderer

    def steps(self) -> Steps[None]:
        while True:
            slug = self.lane.oldest_dirty()
            yield ("finds dirty", slug) if slug else RESTS
            if slug is not None:
                yield from self.renderer.render(slug)
            try:
                yield from self.take_stranded()
            except NoGroup:
                self.lane.create_group()
                yield ("creates group",)

    def take_stranded(self) -> Steps[None]:
        ids = self.lane.pending()
        yield ("finds pending", *ids) if ids else RESTS
        if not ids:
            return
        wakeups = self.lane.read_events(ids)
        yield "reads pending", *wakeups
        there = {wakeup.id for wakeup in wakeups}
        strays = [id_ for id_ in ids if id_ not in there]
        if strays:
            self.lane.ack(strays)
            yield "drops", *strays
        yield from self.renderer.take(wakeups)


class Releaser:
    """Releases what is due, as each ingest process does; several do it at once."""

    def __init__(self, name: str, lane: Lane) -> None:
        self.name, self.lane = name, lane

    def steps(self) -> Steps[None]:
        while True:
            slugs = self.lane.due()
            yield ("finds due", *slugs) if slugs else RESTS
            for slug in slugs:
                yield from self.release(slug)

    def release(self, slug: str) -> Steps[None]:
        released = self.lane.release(slug)
        yield "releases of", slug, *(event.id for event in released)


class Editor:
    """Releases held events early, and spikes some."""

    name = "editor"

    def __init__(self, lane: Lane, dice: Dice) -> None:
        self.lane, self.dice = lane, dice

    def steps(self) -> Steps[None]:
        while True:
            holds = [hold for keys in self.lane.articles.values() for hold in keys.holds.values()]
            if self.dice.calm or not holds or not self.dice.chance(0.1):
                yield RESTS
                continue
            event = self.dice.pick(holds).event
            yield "sees held", event.slug, event.id
            act = self.lane.release if self.dice.chance(0.7) else self.lane.spike
            done = act(event.slug, event.key)
            yield f"{act.__name__}s by hand", event.slug, *(each.id for each in done)


class Client:
    """Files its events one after the other, each until it has an answer.

    A request that it gave up on may be *late*, not lost: it arrives after the next one.
    """

    def __init__(self, name: str, lane: Lane, dice: Dice, todo: Iterable[Event]) -> None:
        self.name, self.lane, self.dice = name, lane, dice
        self.todo = deque(todo)
        self.late: deque[Event] = deque()
        self.acked: list[Event] = []

    def steps(self) -> Steps[None]:
        while True:
            if not self.todo:
                yield RESTS
                continue
            event = self.todo[0]
            if event.base == NEWEST:
                event = self.todo[0] = event._replace(base=self.lane.seq(event.slug))
                yield "reads seq of", event.slug, event.base
            receipt = yield from self.file(event)
            if receipt is None:
                continue
            self.todo.popleft()
            self.book(event, receipt)

    def file(self, event: Event) -> Steps[Receipt | None]:
        """Send *event*; None: no answer, whatever became of it."""
        if self.dice.mishap(0.08):
            yield "gives up on", event.id
            if self.dice.chance(0.6):
                self.late.append(event)
            return None
        receipt = yield from self.ingest(event)
        if self.dice.mishap(0.1):
            yield "loses reply", event.id
            return None
        return receipt

    def ingest(self, event: Event) -> Steps[Receipt]:
        masks = Masks()
        while True:
            if event.act == "redacted":
                masks = self.lane.read_masks(event, masks)
                yield "reads for masks", event.slug, masks.end[0]
            receipt = self.lane.append(event, masks)
            if receipt.status != "again":
                break
            yield "has to read on of", event.slug
        answer = receipt.status, receipt.code or receipt.seq
        yield "files", event.slug, event.id, event.act, event.update, *answer
        return receipt

    def book(self, event: Event, receipt: Receipt) -> None:
        """Write the answer down; sometimes send an old event again, or its id with other copy."""
        self.lane.evidence.receipts.append((self.name, event, receipt))
        if receipt.status == "rejected":
            return
        if event not in self.acked:
            self.acked.append(event)
        if self.dice.mishap(0.15):
            again = self.dice.pick(self.acked)
            other = again._replace(text=again.text + "'")
            self.todo.appendleft(again if self.dice.chance(0.7) else other)

    def send_again(self, events: Iterable[Event]) -> None:
        self.todo.extendleft(reversed(list(events)))


class Network:
    """Brings late requests to the engine; nobody waits for the answers any more."""

    name = "network"

    def __init__(self, clients: Sequence[Client]) -> None:
        self.clients = clients

    def steps(self) -> Steps[None]:
        while True:
            client = next((client for client in self.clients if client.late), None)
            if client is None:
                yield RESTS
            else:
                yield from client.ingest(client.late.popleft())
