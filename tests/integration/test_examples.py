"""The examples, run as they stand against a real stack."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from redis import Redis

from tests.builders import posted
from tests.stack import Stack, free_ports
from tests.waiting import until_sync

EXAMPLES = Path(__file__).parents[2] / "examples"


class Published:
    """A stack with a key, and the environment in which examples find both."""

    def __init__(self, stack: Stack, key: str) -> None:
        self.stack = stack
        self.environ = os.environ | {
            "INGEST": stack.ingest,
            "KEY": key,
            "REDIS_URL": stack.redis_url,
        }

    def run(self, name: str) -> list[str]:
        """Run an example to its end, and return the lines it printed."""
        done = subprocess.run(
            [*_program(name), EXAMPLES / name],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def post(self, slug: str, update_id: str) -> None:
        """Append a post of an update to the inbox, as systems inside do."""
        event = posted(update_id, slug=slug, source="/newsroom/swim")
        with Redis.from_url(self.stack.redis_url) as redis:
            redis.xadd("writethru:inbox", {"data": orjson.dumps(event)})

    def chain(self, slug: str) -> str:
        """Return the chain of the article as readers have it."""
        return str(self.stack.get(f"/articles/{slug}.json").json()["chain"])

    def only_last_change_of(self, slug: str, last: dict[str, str]) -> None:
        """Set *last* so that, of what the streams have, only the last change of *slug* is new."""
        with Redis.from_url(self.stack.redis_url, decode_responses=True) as redis:
            for stream in last:
                entries: Any = redis.xrevrange(stream, count=2)
                found = [each for each, change in entries if change["article"] == slug]
                last[stream] = entries[0][0] if entries else "0"
                if found:
                    last[stream] = entries[1][0] if len(entries) > 1 else "0"

    @contextmanager
    def running(self, folder: Path, name: str, *words: str) -> Iterator[Path]:
        """Run an example meanwhile; yield the file that it prints into."""
        said = folder / f"{name}.{'.'.join(Path(each).name for each in words)}.log"
        with said.open("ab") as log:
            process = subprocess.Popen(
                [*_program(name), EXAMPLES / name, *words],
                env=self.environ,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield said
        finally:
            process.kill()
            process.wait()


def _program(name: str) -> list[str]:
    return [sys.executable, "-u"] if name.endswith(".py") else []


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("examples")
    stack = Stack(folder, WRITETHRU_OUTBOUND_ALLOW="127.0.0.0/8")
    try:
        stack.ready()
        words = ("keys", "create", "examples", "--scope", "publish", "--scope", "correct")
        key = subprocess.run(
            [sys.executable, "-m", "services.cli", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        yield Published(stack, key)
        stack.end()
    finally:
        stack.clear()


@pytest.mark.curl
def test_curl_publishes_corrects_and_sends_in_binary_mode(published: Published) -> None:
    lines = published.run("publish.sh")

    receipts = [orjson.loads(line)["receipts"][0] for line in lines]
    assert [each["seq"] for each in receipts] == [1, 2, 3, 4]
    page = published.stack.page("market-fire", 4)
    assert [each["text"] for each in page["updates"]] == [
        "Fifty firefighters are there.",
        "Nobody is hurt.",
    ]


def test_the_standard_library_publishes_and_may_do_it_again(published: Published) -> None:
    first, again = published.run("publish.py"), published.run("publish.py")

    assert [orjson.loads(line)["status"] for line in first] == ["accepted"] * 3
    assert [orjson.loads(line)["status"] for line in again] == ["duplicate"] * 3
    assert published.stack.page("night-train", 3)["pinned"] == "update-1"


def test_a_key_that_is_wrong_is_told_in_a_line(published: Published) -> None:
    wrong = published.environ | {"KEY": "wt_00_wrong"}

    done = subprocess.run(
        [sys.executable, EXAMPLES / "publish.py"],
        env=wrong,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("No valid key: ")


def test_a_faststream_application_publishes_through_the_inbox(published: Published) -> None:
    published.run("inbox_faststream.py")

    page = published.stack.page("harbour-swim", 2)
    assert [each["text"] for each in page["updates"]] == ["The first swimmer is back."]
    with Redis.from_url(published.stack.redis_url) as redis:
        until_sync(lambda: not redis.xlen("writethru:inbox"))
        assert not redis.exists("writethru:refused")


def test_redis_py_follows_the_changes(published: Published, tmp_path: Path) -> None:
    published.run("inbox_faststream.py")
    published.stack.page("harbour-swim", 2)

    with published.running(tmp_path, "changes_redis.py") as said:
        until_sync(lambda: "harbour-swim" in said.read_text(), 30)

        assert "Traceback" not in said.read_text()
        assert "writethru.update.posted" in said.read_text()


def test_redis_py_loses_nothing_and_tells_nothing_twice_over_runs(
    published: Published, tmp_path: Path
) -> None:
    kept, slug = tmp_path / "place.json", "harbour-swim"
    published.run("inbox_faststream.py")
    version = published.stack.page(slug, 2)["version"]

    def told(said: Path) -> list[str]:
        lines = said.read_text().splitlines()
        return [line.split()[1] for line in lines if line.startswith(f"{slug} ")]

    def done() -> bool:
        return kept.exists() and published.chain(slug) in kept.read_text()

    # Given a run that was killed, and changes since
    with published.running(tmp_path, "changes_redis.py", str(kept)) as said:
        until_sync(done, 30)
    before = told(said)
    published.post(slug, "while-nobody-listens")
    published.stack.page(slug, version + 1)

    # When another run goes on, it tells what it lacks, and nothing that was told
    with published.running(tmp_path, "changes_redis.py", str(kept)):
        until_sync(done, 30)
    assert told(said) == [*before, f"{version}..{version + 1}"]

    # And a run that died before it kept its place finds the last entry again, and knows it
    state = orjson.loads(kept.read_bytes())
    state["last"] = dict.fromkeys(state["last"], "0")
    state["done"] = {slug: published.chain(slug)}
    published.only_last_change_of(slug, state["last"])
    kept.write_bytes(orjson.dumps(state))
    published.post(slug, "once-more")
    with published.running(tmp_path, "changes_redis.py", str(kept)):
        until_sync(done, 30)
    assert told(said)[-1] == f"{version + 1}..{version + 2}"
    assert told(said)[:-1] == [*before, f"{version}..{version + 1}"]


def test_faststream_shares_the_changes_out_and_goes_on_where_it_was(
    published: Published, tmp_path: Path
) -> None:
    published.run("inbox_faststream.py")
    published.stack.page("harbour-swim", 2)

    with Redis.from_url(published.stack.redis_url) as redis:
        lanes = [f"{{wt:{tag.decode()}}}:changes" for tag in redis.lrange("writethru:lanes", 0, -1)]
        with published.running(tmp_path, "changes_faststream.py", "one") as said:
            until_sync(lambda: "harbour-swim" in said.read_text(), 30)
            until_sync(lambda: not pending(redis, lanes), 30)

        # When a run of the same name has taken all of it again and died with it in hand
        for lane in lanes:
            redis.xgroup_setid(lane, "examples", "0")
            redis.xreadgroup("examples", "one", {lane: ">"})
        assert pending(redis, lanes)
        before = said.read_text()

        # Then the next one begins with that
        with published.running(tmp_path, "changes_faststream.py", "one"):
            until_sync(lambda: "harbour-swim" in said.read_text().removeprefix(before), 30)
            until_sync(lambda: not pending(redis, lanes), 30)
    assert "Traceback" not in said.read_text()


def test_a_receiver_of_webhooks_takes_each_message_of_ours_once(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("WRITETHRU_OUTBOUND_ALLOW", "127.0.0.0/8")
    url = f"http://127.0.0.1:{port}/"
    published.environ |= {"PORT": str(port)}
    published.environ["SECRET"], *_ = published.stack.command("subscriptions", "add", url)
    with published.running(tmp_path, "webhook_receiver.py") as said:
        until_sync(lambda: answers(url))
        published.run("publish.py")
        (name,) = [
            orjson.loads(line)["id"]
            for line in published.stack.command("subscriptions", "list", "--json")
        ]
        published.stack.command("subscriptions", "test", name)
        until_sync(lambda: "writethru.subscription.tested" in said.read_text(), 30)

        headers = {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
        forged = httpx2.post(url, content=b"{}", headers=headers, trust_env=False)
        assert forged.status_code == 401
    assert "Traceback" not in said.read_text()
    published.stack.command("subscriptions", "remove", name)


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False).status_code == httpx2.codes.NOT_IMPLEMENTED
    except httpx2.TransportError:
        return False


def pending(redis: Redis, lanes: list[str]) -> int:
    """Return how many changes were taken and not finished."""
    found: list[Any] = [redis.xpending(lane, "examples") for lane in lanes]
    return sum(each["pending"] for each in found)


def test_the_readme_names_every_example(published: Published) -> None:
    text = (EXAMPLES / "README.md").read_text("utf-8")

    for path in EXAMPLES.iterdir():
        if path.name == "__pycache__":  # another test imports one of them
            continue
        assert path.name == "README.md" or f"[{path.name}]({path.name})" in text
