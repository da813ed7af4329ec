"""The same stack on a Redis Cluster of six nodes: one of them goes for good, and events go on."""

from __future__ import annotations

import time

from tests.compose.docker import Docker
from tests.compose.newsroom import Newsroom, Reader
from tests.compose.story import (
    EXPIRING,
    KEY,
    RECOVERY_SECONDS,
    REMOVE,
    check,
    check_reader,
    deliver,
    go_on,
    ingest,
    step,
)
from tests.waiting import until_sync

FILES = ("docker-compose.yml", "docker-compose.cluster.yml")
_COMPOSE = f"docker compose -f {FILES[0]} -f {FILES[1]}"
#: The commands of docs/operations.md, as they stand there.
UP = f"{_COMPOSE} up --build --detach --wait"
DOCTOR = f"{_COMPOSE} run --rm writethru doctor"
DOCUMENTED = (UP, DOCTOR)
#: One of the primaries, as `assemble` makes them.
PRIMARY = "redis-2"


def tell(docker: Docker) -> None:
    """Tell the story, from nothing.

    Raises:
        StepFailed, AssertionError: something didn't happen as it should.
    """
    begun = time.monotonic()
    with step("six nodes, made one cluster"):
        docker.run(REMOVE)
        docker.set(f"COMPOSE_FILE={':'.join(FILES)}\n")
        docker.run(UP)
        print(f"    {docker.run(DOCTOR).splitlines()[-1]}")
        token = docker.run(EXPIRING).splitlines()[-1]
        reading = docker.run(KEY.replace("publish --scope correct", "read")).splitlines()[-1]
    reader = Reader(deliver(docker))
    until_sync(reader.listening, RECOVERY_SECONDS)
    newsroom = Newsroom(ingest(docker), token)
    with step("a primary stops, and its replica takes over"):
        go_on(newsroom)
        docker.run(f"docker compose stop {PRIMARY}")
        go_on(newsroom)
    with step("it comes back, as a replica"):
        docker.run(f"docker compose start {PRIMARY}")
        go_on(newsroom)
    with step("nothing is missing"):
        newsroom.stop()
        print(f"    the longest wait for a receipt was {newsroom.longest:.1f} s")
        check(docker, newsroom, reading)
        check_reader(newsroom, reader)
    print(f"ok: {newsroom.filed()} events on a cluster, in {time.monotonic() - begun:.0f} s")
