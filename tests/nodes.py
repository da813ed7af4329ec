"""Engines in company, on free ports of this machine: a cluster, or a primary with its sentinels.

They are the embedded engine's binary, with its settings, so what holds of one engine is tried on
many. A node can be killed, stopped, and started again; slots can be moved.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.runtime import engine
from shared.runtime.cluster_map import SLOTS
from shared.runtime.engine_binary import find_binary
from tests.stack import free_ports
from tests.waiting import until_sync

NODE_TIMEOUT_MS = 1_000
START_SECONDS = 20.0
KEYS_A_MOVE = 50


@dataclass
class Node:
    """One server process; *words* are its settings."""

    folder: Path
    port: int
    words: Sequence[str]
    username: str | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Return when it answers."""
        with (self.folder / "node.log").open("ab") as log:
            self.process = subprocess.Popen(
                [find_binary(), *self.words],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=engine._end_with_parent(),  # noqa: PLW1509  # two system calls
            )
        until_sync(self.answers, START_SECONDS)

    def answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.ask("PING"))
        return False

    def ask(self, *words: Any) -> Any:
        """Run a command here, whatever it is."""
        retry = Retry(NoBackoff(), 0)
        client: Any = redis.Redis(
            port=self.port,
            username=self.username,
            password=self.username and "any",
            protocol=2,
            socket_timeout=5.0,
            retry=retry,
        )
        try:
            return client.execute_command(*words)
        finally:
            client.close()

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process:
            self.process.kill()
            self.process.wait()


@dataclass
class ClusterOfNodes:
    """Three primaries with a third of the slots each, and a replica of each."""

    nodes: list[Node]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    @property
    def primary(self) -> Node:
        """Return one that has keys."""
        return self.owner(0)

    def owner(self, slot: int) -> Node:
        """Return the node that has *slot*, as those that live agree."""
        owner = until_sync(lambda: self._owner(slot), START_SECONDS)
        assert owner
        return owner

    def _owner(self, slot: int) -> Node | None:
        said = set()
        for node in self.nodes:
            with suppress(redis.RedisError):
                for first, last, primary, *_ in node.ask("CLUSTER", "SLOTS"):
                    said |= {int(primary[1])} if first <= slot <= last else set()
        if len(said) != 1:
            return None
        return next(node for node in self.nodes if node.port in said)

    def replica_of(self, primary: Node) -> Node:
        """Return a node that would take over from *primary*."""
        name = primary.ask("CLUSTER", "MYID")
        for node in self.nodes:
            with suppress(redis.RedisError):
                lines = node.ask("CLUSTER NODES")
                mine = next(v for v in lines.values() if "myself" in v["flags"])
                if mine["master_id"] == name.decode():
                    return node
        raise AssertionError("it has no replica")

    def move(self, slot: int, to: Node) -> Iterator[int]:
        """Move *slot*, a few keys at a time; yield how many keys each step has moved."""
        source = self.owner(slot)
        ids = {node.port: node.ask("CLUSTER", "MYID") for node in (source, to)}
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[to.port])
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, KEYS_A_MOVE):
            source.ask("MIGRATE", "127.0.0.1", to.port, "", 0, 5_000, "KEYS", *keys)
            yield len(keys)
        for node in (to, source):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[to.port])

    def wait(self) -> None:
        """Return when every node that lives says that all is well."""
        until_sync(lambda: all(map(_is_well, self.nodes)), START_SECONDS)


def _is_well(node: Node) -> bool:
    info = node.ask("CLUSTER INFO")
    known = info["cluster_state"], info["cluster_known_nodes"], info["cluster_slots_ok"]
    return bool(known == ("ok", "6", str(SLOTS)))


@contextmanager
def cluster(folder: Path) -> Iterator[ClusterOfNodes]:
    """Start six nodes and make a cluster of them."""
    ports = free_ports(12)
    nodes = [
        Node(*_place(folder, port), node_words(port, bus))
        for port, bus in zip(ports[:6], ports[6:], strict=True)
    ]
    with running_nodes(nodes):
        _meet(nodes, ports[6:])
        made = ClusterOfNodes(nodes)
        made.wait()
        for primary in nodes[:3]:
            until_sync(lambda: _synced(primary) == 1, START_SECONDS)  # noqa: B023
        yield made


def node_words(port: int, bus: int) -> Sequence[str]:
    """Return the settings of a node that belongs to no cluster yet."""
    return (
        *("--port", str(port), *engine.SETTINGS),
        *("--cluster-enabled", "yes", "--cluster-port", str(bus)),
        *("--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
        *("--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"),
    )


def _meet(nodes: Sequence[Node], buses: Sequence[int]) -> None:
    third = SLOTS // 3 + 1
    for place, node in enumerate(nodes[:3]):
        node.ask("CLUSTER", "SET-CONFIG-EPOCH", place + 1)
        node.ask("CLUSTER", "ADDSLOTSRANGE", place * third, min((place + 1) * third, SLOTS) - 1)
    for node, bus in zip(nodes[1:], buses[1:], strict=True):
        nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
    until_sync(lambda: all(len(n.ask("CLUSTER NODES")) == 6 for n in nodes), START_SECONDS)
    for primary, replica in zip(nodes[:3], nodes[3:], strict=True):
        name = primary.ask("CLUSTER", "MYID")
        until_sync(lambda: _replicates(replica, name), START_SECONDS)  # noqa: B023


def _replicates(replica: Node, name: bytes) -> bool:
    try:
        return bool(replica.ask("CLUSTER", "REPLICATE", name))
    except redis.ResponseError:  # it has not heard of that one yet
        return False


def _synced(primary: Node) -> int:
    info = primary.ask("INFO", "replication")
    states = [info.get(f"slave{n}", {}) for n in range(info["connected_slaves"])]
    return sum(each.get("state") == "online" for each in states)


@dataclass
class Pair:
    """A primary, and a replica that follows it."""

    primary: Node
    replica: Node

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.primary.port}/0"

    def synced(self) -> bool:
        return _synced(self.primary) == 1


@contextmanager
def pair(folder: Path, settings: Sequence[str] = engine.SETTINGS) -> Iterator[Pair]:
    """Start a primary with *settings* and a replica with the same."""
    first, second = free_ports(2)
    words = (*settings, "--repl-diskless-sync-delay", "0")
    primary = _node(folder, first, *words)
    replica = _node(folder, second, *words, "--replicaof", f"127.0.0.1 {first}")
    with running_nodes([primary, replica]):
        made = Pair(primary, replica)
        until_sync(made.synced, START_SECONDS)
        yield made


SERVICE = "newsroom"


@dataclass
class Watched:
    """A primary and two replicas, and three sentinels that watch over them."""

    nodes: list[Node]
    sentinels: list[Node]

    @property
    def url(self) -> str:
        asked = ",".join(f"127.0.0.1:{node.port}" for node in self.sentinels)
        return f"redis+sentinel://{asked}/{SERVICE}"

    @property
    def primary(self) -> Node:
        """Return the one that the sentinels name."""
        _, port = self.sentinels[0].ask("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(node for node in self.nodes if node.port == int(port))


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Start a primary, two replicas and three sentinels."""
    first, *others = ports = free_ports(6)
    words = (*engine.SETTINGS, "--repl-diskless-sync-delay", "0")
    following = ("--replicaof", f"127.0.0.1 {first}")
    nodes = [
        _node(folder, port, *words, *(() if port == first else following)) for port in ports[:3]
    ]
    sentinels = [_sentinel(folder, port, first) for port in others[2:]]
    with running_nodes(nodes):
        until_sync(lambda: _synced(nodes[0]) == 2, START_SECONDS)
        with running_nodes(sentinels):
            made = Watched(nodes, sentinels)
            until_sync(lambda: all(map(_sees_all, sentinels)), START_SECONDS)
            yield made


def _sees_all(sentinel: Node) -> bool:
    facts = sentinel.ask("SENTINEL MASTER", SERVICE)
    return bool(facts["num-slaves"] == 2 and facts["num-other-sentinels"] == 2)


def _place(folder: Path, port: int) -> tuple[Path, int]:
    place = folder / str(port)
    place.mkdir(parents=True)
    return place, port


def _node(folder: Path, port: int, *words: str) -> Node:
    return Node(*_place(folder, port), ("--port", str(port), *words))


def _sentinel(folder: Path, port: int, primary: int) -> Node:
    place = folder / str(port)
    place.mkdir(parents=True)
    (place / "sentinel.conf").write_text(
        f"port {port}\nbind 127.0.0.1\n"
        f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n"
        f"sentinel down-after-milliseconds {SERVICE} {NODE_TIMEOUT_MS}\n"
        f"sentinel failover-timeout {SERVICE} 5000\n"
    )
    return Node(place, port, ("sentinel.conf", "--sentinel"))


@contextmanager
def running_nodes(nodes: Sequence[Node]) -> Iterator[None]:
    try:
        for node in nodes:
            node.start()
        yield
    finally:
        for node in nodes:
            node.kill()
