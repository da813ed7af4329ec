"""Engines in company, of which one is lost: by sentinels' choice or by a cluster's another follows.

A primary is cut off from its replicas before it is killed, so that what it accepts last is lost:
its replicas are stopped, and their connections to it are cut. They wake when it is dead.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Protocol

import redis

from shared.runtime.cluster_map import slot_of
from shared.runtime.keys import Lane
from shared.runtime.lanes import Lanes, choose_tags
from tests.nodes import SERVICE, ClusterOfNodes, Node, Watched, cluster, watched
from tests.waiting import until_sync

PATIENCE_SECONDS = 60.0
LANES = Lanes(choose_tags(12))


@dataclass
class Loss:
    """A primary that is about to go, those who may follow it, and which lanes it has."""

    primary: Node
    replicas: Sequence[Node]
    lanes: Sequence[Lane]


class Company(Protocol):
    """Engines of which one may be lost."""

    name: str

    @property
    def url(self) -> str: ...

    def next_loss(self) -> Loss:
        """Choose a primary; all is well before."""
        ...

    def primaries(self) -> set[str]:
        """Return who takes writes, by names that change with each takeover."""
        ...

    def replaced(self, loss: Loss) -> None:
        """Return when another has taken over."""
        ...

    def brought_back(self, loss: Loss) -> None:
        """Start the one that was lost again, as a replica."""
        ...


@dataclass
class OfSentinels:
    """A primary and two replicas, watched by three sentinels."""

    nodes: Watched
    name: str = "sentinels"

    @property
    def url(self) -> str:
        return self.nodes.url

    def next_loss(self) -> Loss:
        primary = self.nodes.primary
        others = [node for node in self.nodes.nodes if node != primary]
        until_sync(lambda: _followers(primary) == 2, PATIENCE_SECONDS)
        until_sync(self._agree, PATIENCE_SECONDS)
        return Loss(primary, others, list(LANES))

    def primaries(self) -> set[str]:
        said = [each.ask("SENTINEL MASTER", SERVICE) for each in self.nodes.sentinels]
        epoch = max(int(each["config-epoch"]) for each in said)
        return {f"{number} takeovers" for number in range(epoch + 1)}

    def replaced(self, loss: Loss) -> None:
        until_sync(lambda: self.nodes.primary != loss.primary, PATIENCE_SECONDS)
        primary = self.nodes.primary
        until_sync(lambda: primary.ask("ROLE")[0] == b"master", PATIENCE_SECONDS)

    def brought_back(self, loss: Loss) -> None:
        primary = self.nodes.primary
        words = list(loss.primary.words)
        if "--replicaof" in words:
            del words[words.index("--replicaof") :]
        loss.primary.words = (*words, "--replicaof", f"127.0.0.1 {primary.port}")
        loss.primary.start()

    def _agree(self) -> bool:
        """Whether no sentinel is in the middle of a takeover, nor takes a server for dead."""
        flags = [each.ask("SENTINEL MASTER", SERVICE)["flags"] for each in self.nodes.sentinels]
        return bool(flags == ["master"] * 3)


@dataclass
class OfACluster:
    """Three primaries and a replica of each."""

    nodes: ClusterOfNodes
    name: str = "cluster"

    def __post_init__(self) -> None:
        self._turn = cycle(LANES)

    @property
    def url(self) -> str:
        return self.nodes.url

    def next_loss(self) -> Loss:
        primary = self.nodes.owner(slot_of(next(self._turn).events))
        until_sync(lambda: _followers(primary) >= 1, PATIENCE_SECONDS)
        lanes = [lane for lane in LANES if self.nodes.owner(slot_of(lane.events)) == primary]
        return Loss(primary, [self.nodes.replica_of(primary)], lanes)

    def primaries(self) -> set[str]:
        return {str(node.port) for node in self._primaries()}

    def replaced(self, loss: Loss) -> None:
        until_sync(lambda: self._owner(loss.lanes[0]) != loss.primary, PATIENCE_SECONDS)

    def brought_back(self, loss: Loss) -> None:
        loss.primary.start()
        self.nodes.wait()

    def reshard(self) -> int:
        """Move a lane from the primary that has it to another; return how many keys moved."""
        lane = next(self._turn)
        source = self._owner(lane)
        others = [node for node in self._primaries() if node != source]
        return sum(self.nodes.move(slot_of(lane.events), others[0]))

    def _owner(self, lane: Lane) -> Node:
        return self.nodes.owner(slot_of(lane.events))

    def _primaries(self) -> list[Node]:
        return [node for node in self.nodes.nodes if node.ask("ROLE")[0] == b"master"]


def lose(loss: Loss, cut_off_until: Callable[[], object]) -> None:
    """Kill the primary, after it was cut off from its replicas for a while."""
    for node in loss.replicas:
        node.signal(signal.SIGSTOP)
    try:
        loss.primary.ask("CLIENT KILL", "TYPE", "replica")
        until_sync(cut_off_until, PATIENCE_SECONDS)
        loss.primary.kill()
    finally:
        for node in loss.replicas:
            node.signal(signal.SIGCONT)


def is_replica(node: Node) -> bool:
    """Whether *node* says so; one that is just told to be one closes its connections."""
    with suppress(redis.RedisError):
        return bool(node.ask("ROLE")[0] == b"slave")
    return False


def _followers(primary: Node) -> int:
    """Return how many replicas have all that *primary* has."""
    facts = primary.ask("INFO", "replication")
    replicas = [facts[f"slave{number}"] for number in range(facts["connected_slaves"])]
    return sum(
        each["state"] == "online" and each["offset"] == facts["master_repl_offset"]
        for each in replicas
    )


@contextmanager
def of_sentinels(folder: Path) -> Iterator[OfSentinels]:
    with watched(folder) as nodes:
        yield OfSentinels(nodes)


@contextmanager
def of_a_cluster(folder: Path) -> Iterator[OfACluster]:
    with cluster(folder) as nodes:
        yield OfACluster(nodes)
