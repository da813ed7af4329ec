"""The stack on several engines while one of them goes: nothing that was accepted is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from shared.runtime.cluster_map import slot_of
from shared.runtime.lanes import Lanes, choose_tags
from tests.builders import Envelope
from tests.chaos.failover import newsrooms, verified
from tests.chaos.harness import Newsroom, coverage
from tests.chaos.takeovers import of_sentinels
from tests.nodes import ClusterOfNodes, Node, cluster
from tests.stack import Stack, running
from tests.waiting import until_sync

ARTICLES, EVENTS = 12, 16
PATIENCE_SECONDS = 60.0

Coverages = Sequence[Sequence[Envelope]]


@pytest.mark.chaos
@pytest.mark.timeout(240)
def test_what_a_takeover_loses_is_filed_again_from_the_log_and_its_readers_are_reset(
    tmp_path: Path,
):
    with of_sentinels(tmp_path) as company, newsrooms(tmp_path, company) as rooms:
        outcome = rooms.takeover("fsync")

        assert outcome.lost
        assert outcome.filed_again == outcome.lost
        assert outcome.readers.told == outcome.readers.forked
        assert verified(company.url) == "12 articles checked: all as the ledgers give them"


@pytest.mark.chaos
@pytest.mark.timeout(240)
def test_lanes_move_a_primary_hands_over_and_another_is_killed_while_events_flow(tmp_path: Path):
    with cluster(tmp_path / "nodes") as nodes, _stack(tmp_path, nodes.url) as stack:
        newsroom, coverages = Newsroom(stack.ingest), _coverages()
        with ThreadPoolExecutor(1) as side:
            filing = side.submit(newsroom.file, [story[: EVENTS // 2] for story in coverages])
            until_sync(lambda: newsroom.acknowledged() > ARTICLES, PATIENCE_SECONDS)
            steps = list(_rearranged(nodes))
            filing.result()
        assert all(steps)

        _kill(nodes.nodes[1])
        newsroom.file([story[EVENTS // 2 :] for story in coverages])

        _check(stack, newsroom, coverages, nodes.url)


def _kill(primary: Node) -> None:
    """Kill it once replicas have all that it has acknowledged: more is not promised."""
    until_sync(lambda: _is_passed_on(primary))
    primary.kill()


def _rearranged(nodes: ClusterOfNodes) -> Iterator[object]:
    """Move every lane of one node to another, then have a third node's replica take over."""
    first, second, third = nodes.nodes[:3]
    for lane in Lanes(choose_tags(12)):
        slot = slot_of(lane.events)
        if nodes.owner(slot) == first:
            yield list(nodes.move(slot, second)) or "an empty lane"
    replica = nodes.replica_of(third)
    yield replica.ask("CLUSTER", "FAILOVER")
    until_sync(lambda: replica.ask("ROLE")[0] == b"master", PATIENCE_SECONDS)


def _coverages() -> Coverages:
    return [coverage(f"story-{number}", EVENTS) for number in range(ARTICLES)]


def _stack(folder: Path, url: str) -> AbstractContextManager[Stack]:
    home = folder / "stack"
    home.mkdir()
    return running(home, "--redis-url", url, "--workers", "2")


def _is_passed_on(primary: Node) -> bool:
    """Whether all replicas have all that *primary* has acknowledged."""
    facts = primary.ask("INFO", "replication")
    replicas = [facts[f"slave{number}"] for number in range(facts["connected_slaves"])]
    return all(each["offset"] == facts["master_repl_offset"] for each in replicas)


def _check(stack: Stack, newsroom: Newsroom, coverages: Coverages, url: str) -> None:
    """Hold ledgers and pages to what was acknowledged."""
    assert newsroom.acknowledged() == ARTICLES * EVENTS
    for story in coverages:
        slug = story[0]["subject"]
        filed = _ledger(stack, slug)
        assert [event["id"] for event in filed] == [event["id"] for event in story]
        receipts = [newsroom.receipts[slug, event["id"]] for event in filed]
        assert [(each["seq"], each["chain"]) for each in filed] == [
            (each["seq"], each["chain"]) for each in receipts
        ]
        stack.page(slug, len(story))
    command = [sys.executable, "-m", "services.cli", "verify", "--redis-url", url]
    verified = subprocess.run(command, check=False, capture_output=True, text=True)
    assert verified.stdout == f"{ARTICLES} articles checked: all as the ledgers give them\n", (
        verified.stdout + verified.stderr
    )


def _ledger(stack: Stack, slug: str) -> list[dict[str, Any]]:
    answer = httpx2.get(f"{stack.ingest}/v1/articles/{slug}/events", trust_env=False)
    return [orjson.loads(line) for line in answer.content.splitlines()]
