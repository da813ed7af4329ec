"""A cluster that `acl` and `assemble` made: every user gets along, and is denied nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.acl import ACL_FILE, REPLICA_FILE, URL_FILE, command
from services.ingest.append import Appender
from services.render.consume import Consumer, make_groups
from services.render.rendering import Rendering
from services.render.store import Store
from shared.contract.events import parse_event
from shared.runtime.durability import levels_of
from shared.runtime.installation import open_installation
from shared.runtime.redis import connect
from tests.builders import posted, published
from tests.integration.guarded import ROOT
from tests.integration.newsroom import Newsroom
from tests.integration.newsstand import open_newsstand
from tests.nodes import Node, node_words, running_nodes
from tests.stack import free_ports
from tests.waiting import until, until_sync


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Node]]]:
    """Return the folder of the users, and six nodes that know them and not each other."""
    folder = tmp_path_factory.mktemp("guarded-cluster")
    ports = free_ports(12)
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports[:6])
    command(folder, f"redis+cluster://{hosts}")
    with (folder / ACL_FILE).open("a") as file:
        file.write(ROOT)
    nodes = []
    for port, bus in zip(ports[:6], ports[6:], strict=True):
        (folder / str(port)).mkdir()
        users = ("--aclfile", str((folder / ACL_FILE).absolute()))
        words = (str((folder / REPLICA_FILE).absolute()), *node_words(port, bus), *users)
        nodes.append(Node(folder / str(port), port, words, "root"))
    with running_nodes(nodes):
        yield folder, nodes


def _url(folder: Path, user: str) -> str:
    return (folder / user / URL_FILE).read_text().strip()


def _assembled(folder: Path) -> str:
    words = [sys.executable, "-m", "services.cli", "assemble", "--redis-url"]
    words.append(_url(folder, "operator"))
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return done.stdout


async def _is_at(newsroom: Newsroom, version: int) -> bool:
    return await newsroom.version() == version


async def test_empty_nodes_become_a_cluster_on_which_each_service_works_as_its_own_user(
    guarded: tuple[Path, list[Node]],
):
    folder, nodes = guarded

    assert _assembled(folder) == "writethru: the cluster is made: 3 primaries, 3 replicas\n"
    assert _assembled(folder) == "writethru: the cluster is whole already\n"
    async with (
        connect(_url(folder, "ingest")) as ingest,
        connect(_url(folder, "render")) as render,
    ):
        here = await open_installation(ingest, 2)
        levels = await levels_of(ingest, "replica-fsync")
        assert (levels.kept, levels.lacking) == ("fsync", {})
        newsroom = Newsroom(ingest, here.lanes, here.key)
        await make_groups(render, here.lanes)
        rendering = Rendering(render, here.lanes, Store(render, here.lanes))
        consumer = Consumer(_url(folder, "render"), here.lanes, "one", rendering)
        await consumer.start()
        await newsroom.file(published(), posted("u1", "The tide has turned."))
        await until(lambda: _is_at(newsroom, 2))
        await consumer.stop()
        appender = Appender(ingest, here, levels.kept)
        event = parse_event(published(slug="far"))

        async def confirmed() -> bool:  # once the replicas have caught up
            [receipt] = await appender.append([event], wait=levels.wait())
            return receipt.durability == "replica-fsync"

        await until(confirmed, 30)
        async with open_newsstand(ingest, _url(folder, "deliver")) as stand:
            assert (await stand.json())["version"] == 2

    for node in nodes:
        until_sync(lambda: node.ask("ROLE")[0] == b"master" or node.ask("ROLE")[3] == b"connected")  # noqa: B023
        denied = [entry for entry in node.ask("ACL LOG") if b"setinfo" not in str(entry).encode()]
        assert denied == []
