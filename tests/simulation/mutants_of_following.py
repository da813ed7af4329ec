"""Ways of telling readers of changes with one bug each."""

from __future__ import annotations

from collections.abc import Mapping

from tests.simulation.article import Position
from tests.simulation.cast import Cast
from tests.simulation.following import Deliver, Follower, Hub, News, Teller
from tests.simulation.keys import Head
from tests.simulation.steps import Steps


class NumberAlone(Deliver):
    """A reader's version is taken for a place in our history, whatever its chain is."""

    def ours(self, ours: bool) -> bool:
        return True


class KeptOverFailover(Deliver):
    """What was read is kept for what the article was before; so it was, until it was found here."""

    def overtaken(self, news: News, stand: Position) -> bool:
        return False


class MixesVersions(Deliver):
    """What is read of an article is not compared with what it was when the reading began."""

    def still(self, now: Head, head: Head) -> bool:
        return True


class NeverLooks(Hub):
    """The hub goes on where it stands, whether or not that is there still."""

    def may_lack(self, broken: bool) -> bool:
        return False


class MovesToNewest(Teller):
    """A reader who was told is taken to be where the article is by now."""

    def moved(self, slug: str, news: News) -> Position:
        return self.deliver.newest.get(slug) or news.to


class WatchesLate(Follower):
    """What a reader lacks is read first, and the article is watched from then on."""

    def connect(self) -> Steps[None]:
        news = yield from self.deliver.since(self.slug, self.page.position)
        if news is None:
            return
        if news.kind != "nothing":
            self.take(news)
        yield "connects to", self.slug, self.page.version
        if self.page.version and news.kind != "killed":
            self.deliver.watch(self)
            self.deliver.newest[self.slug] = self.page.position
            self.deliver.join(self, self.page.position)


FOLLOWED = ("followers",)

MUTANTS: Mapping[str, Cast] = {
    "resumed by number alone": Cast(deliver=NumberAlone, shows=("lossy", *FOLLOWED), seen=62_095),
    "changes kept over a failover": Cast(
        deliver=KeptOverFailover, shows=("lossy", *FOLLOWED), seen=43_867
    ),
    "changes of mixed versions": Cast(deliver=MixesVersions, shows=FOLLOWED),
    "outbox never looked at": Cast(hub=NeverLooks, shows=FOLLOWED),
    "told by what is newest": Cast(teller=MovesToNewest, shows=FOLLOWED),
    "watched after it was read": Cast(follower=WatchesLate, shows=FOLLOWED),
}
