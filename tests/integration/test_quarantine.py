"""Poison: events that can't be folded, one by one, and a fold that fails for all of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from redis.asyncio import Redis

from services.render.core.trust import IN_A_ROW, DistrustedError
from services.render.rendering import Rendering
from services.render.store import Store
from services.render.sweep import Sweeper, Timing
from shared.article import fold
from shared.contract import acts
from shared.runtime.engine import Engine
from shared.runtime.snapshots import Snapshots
from tests.builders import SLUG, corrected, killed, posted, published, retracted
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.newsstand import LANES, Newsstand, free_port, open_newsstand
from tests.integration.test_cli_verify import writethru
from tests.waiting import until

POISON = "hemlock in the cup"
#: A renderer of which every fold fails.
BROKEN = """
import sys
import shared.article.fold as fold
def fail(draft, event, act):
    raise KeyError(act)
for act in list(fold.HANDLERS):
    fold.HANDLERS[act] = fail
from services.render.__main__ import main
sys.exit(main())
"""
#: A command line whose fold fails on the poison.
POISONED = f"""
import shared.article.fold as fold
def failing(handler):
    def handle(draft, event, act):
        if getattr(act, "text", None) == {POISON!r}:
            raise KeyError(act.text)
        handler(draft, event, act)
    return handle
for act, handler in list(fold.HANDLERS.items()):
    fold.HANDLERS[act] = failing(handler)
"""
COMMAND = "import sys; from services.cli.__main__ import run; sys.exit(run(sys.argv[1:]))"
SOUND = "import sys; from services.render.__main__ import main; sys.exit(main())"


@contextmanager
def poisoned(patch: pytest.MonkeyPatch, *also: type) -> Iterator[None]:
    """Let the fold fail on a post or correction with that text, and on all acts of type *also*."""

    def failing(handler: Any) -> Any:
        def handle(draft: Any, event: Any, act: Any) -> None:
            if isinstance(act, also) or getattr(act, "text", None) == POISON:
                raise KeyError(act.text)
            handler(draft, event, act)

        return handle

    with patch.context() as patched:
        for act in (acts.Posted, acts.Corrected):
            patched.setitem(fold.HANDLERS, act, failing(fold.HANDLERS[act]))
        yield


@contextmanager
def renderer(engine: Engine, code: str, folder: Path) -> Iterator[str]:
    """Run a renderer of that *code*; yield the address of its internal port."""
    port = free_port()
    environ = os.environ | {
        "WRITETHRU_REDIS_URL": engine.url,
        "WRITETHRU_METRICS_LISTEN": f"127.0.0.1:{port}",
    }
    with (folder / f"render.{port}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=environ, stdout=log, stderr=log
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


async def ask(url: str, path: str) -> httpx2.Response | None:
    try:
        async with httpx2.AsyncClient(trust_env=False) as http:
            return await http.get(url + path)
    except httpx2.TransportError:
        return None


async def stopped(url: str) -> str:
    """Return what readiness says of the fold while it is not well."""
    answer = await ask(url, "/readyz")
    check = answer.json()["checks"].get("fold", {"ok": True}) if answer else {"ok": True}
    return "" if check["ok"] else str(check["detail"])


async def ready(url: str) -> bool:
    answer = await ask(url, "/readyz")
    return answer is not None and answer.status_code == 200


@pytest.fixture
async def stand(redis: Redis, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("WRITETHRU_LANES", str(LANES))
    async with open_newsstand(redis, engine.url) as stand:
        yield stand


async def quarantine(engine: Engine, *words: str, code: str = "") -> tuple[int | None, str, str]:
    """Run `writethru quarantine`; return its status, what it printed, what it complained of."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code + COMMAND, "quarantine", *words, "--redis-url", engine.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def listed(engine: Engine) -> list[dict[str, Any]]:
    status, out, _ = await quarantine(engine, "list", "--json")
    assert status == 0
    return [orjson.loads(line) for line in out.splitlines()]


async def updates(stand: Newsstand) -> dict[str, str]:
    article = await stand.json()
    return {each["update_id"]: each["text"] for each in article["updates"]}


async def test_a_poisoned_event_is_set_aside_and_tried_again_once_the_fold_is_mended(
    stand: Newsstand, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a fold that fails on one text
    with poisoned(monkeypatch):
        await stand.publish(
            published(), posted("a"), posted("b", POISON), corrected("a", POISON), posted("c")
        )
        # then the page goes on without those events
        assert list(await updates(stand)) == ["a", "c"]
        stream = await stand.live()
        # and operators see which they are, and why, without their words
        _, out, _ = await quarantine(engine, "list")
        assert POISON not in out
        found = await listed(engine)
        assert [(each["article"], each["seq"]) for each in found] == [(SLUG, 3), (SLUG, 4)]
        assert (found[0]["type"], found[0]["why"]) == (
            "writethru.update.posted",
            "KeyError in handle",
        )
        _, out, _ = await quarantine(engine, "show", SLUG, "3")
        assert f"text: {POISON}" in out
        # and to try again in vain changes nothing
        status, out, said = await quarantine(engine, "requeue", "--json", code=POISONED)
        assert status == 1
        assert orjson.loads(out)["left"] == [
            {"seq": seq, "why": "KeyError in handle"} for seq in (3, 4)
        ]
        assert "2 events in quarantine even now" in said
        assert list(await updates(stand)) == ["a", "c"]
    # when the fold is mended, and the article folded again
    status, out, _ = await quarantine(engine, "requeue", SLUG)
    # then the events have their effect in their order, for readers who are there as well
    assert (status, out) == (0, f"{SLUG}: 2 events folded\n")
    event = await stream.event()
    assert event is not None
    assert event.kind == "reset"
    after = await updates(stand)
    assert list(after) == ["a", "b", "c"]
    assert (after["a"], after["b"]) == (POISON, POISON)
    assert await listed(engine) == []
    assert (await writethru("verify", "--redis-url", engine.url))[0] == 0
    # and what comes later is told as ever
    await stand.publish(posted("d"))
    event = await stream.event()
    assert event is not None
    assert (event.kind, event.data["from"], event.data["to"]) == ("change", 5, 6)


@pytest.mark.parametrize("taking", [retracted("b"), killed()])
async def test_what_was_taken_back_since_is_not_shown(
    stand: Newsstand, engine: Engine, monkeypatch: pytest.MonkeyPatch, taking: dict[str, Any]
) -> None:
    with poisoned(monkeypatch):
        await stand.publish(published(), posted("b", POISON), taking)

    for words in (("show", SLUG, "2"), ("show", SLUG, "2", "--json"), ("list",)):
        status, out, _ = await quarantine(engine, *words)
        assert status == 0
        assert POISON not in out


async def test_a_fold_that_fails_on_many_in_a_row_marks_no_more_and_others_fold_them(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an article that a broken fold has marked an event of, as well as it could know
    newsroom = await open_newsroom(redis, 1)
    await newsroom.file(published(), posted("a"))
    store = Store(redis, newsroom.lanes)
    rendering = Rendering(redis, newsroom.lanes, store)
    sweeper = Sweeper(redis, newsroom.lanes, rendering, Timing(dirty_ms=0, stranded_ms=0))
    with poisoned(monkeypatch, acts.Posted):
        await sweeper.sweep()
        assert await marks(newsroom) == (2,)
        # when very many follow
        await newsroom.file(*(posted(f"u{n}") for n in range(IN_A_ROW)))
        with pytest.raises(DistrustedError):
            await store.render(SLUG)
        # then not one of those is marked, readiness says so, and the lane stays alone from now on
        assert await newsroom.version() == 2
        assert f"the last {IN_A_ROW} events could not be folded" in str(rendering.fault())
        await sweeper.sweep()
        await sweeper.sweep()
        assert await newsroom.version() == 2
    # and the next process, which is sound, folds all, with what was marked before
    other = Rendering(redis, newsroom.lanes, Store(redis, newsroom.lanes))
    await Sweeper(redis, newsroom.lanes, other, Timing(dirty_ms=0)).sweep()
    assert await newsroom.version() == 2 + IN_A_ROW
    assert await marks(newsroom) == ()
    assert await redis.hgetall(newsroom.keys().lane.quarantined) == {}
    assert not await newsroom.dirty()


async def test_a_bad_deploy_stops_itself_and_a_sound_renderer_beside_it_goes_on(
    redis: Redis, engine: Engine, tmp_path: Path
) -> None:
    # given a sound renderer and a broken one on the same lanes
    newsroom = await open_newsroom(redis, 12)
    slugs = [f"story-{n}" for n in range(20)]
    with renderer(engine, SOUND, tmp_path) as sound, renderer(engine, BROKEN, tmp_path) as broken:
        await until(lambda: ready(sound), 60)
        await until(lambda: ready(broken), 60)
        # when much is filed
        for slug in slugs:
            await newsroom.file(published(slug=slug))
        part = 0
        while not await stopped(broken):
            part += 1
            assert part < 200
            for slug in slugs:
                await newsroom.file(posted(f"u{part}", slug=slug))
        # then the broken one says which lane it has stopped, and what to do
        said = await stopped(broken)
        assert "could not be folded, so nothing more is committed there" in said
        assert "put a version in place that folds them" in said
        metrics = await ask(broken, "/metrics")
        assert metrics is not None
        assert "writethru_lanes_stopped 0.0" not in metrics.text
        assert not await stopped(sound)
        # and on that lane the sound one has every event folded, in order
        tag = said.partition("lane ")[2].partition(" ")[0]
        there = [slug for slug in slugs if newsroom.lanes.of(slug).tag == tag]
        await until(lambda: all_folded(newsroom, there), 60)
    # and once the broken one is gone, nothing is left to do but to try again what it had marked
    with renderer(engine, SOUND, tmp_path):
        await until(lambda: all_rendered(newsroom, slugs), 60)
        status, _, _ = await quarantine(engine, "requeue")
        assert status == 0
        assert await all_folded(newsroom, slugs)
    assert (await writethru("verify", "--redis-url", engine.url))[0] == 0


async def all_rendered(newsroom: Newsroom, slugs: list[str]) -> bool:
    for slug in slugs:
        facts: Any = await newsroom.redis.hmget(newsroom.keys(slug).article, "seq", "version")
        if facts[0] != facts[1]:
            return False
    return True


async def all_folded(newsroom: Newsroom, slugs: list[str]) -> bool:
    """Whether these articles are as their ledgers give them."""
    for slug in slugs:
        found: Any = await Snapshots(newsroom.redis, newsroom.lanes).read_article(slug)
        if found != await newsroom.replayed(slug):
            return False
    return True


async def marks(newsroom: Newsroom) -> tuple[int, ...]:
    head: Any = await Snapshots(newsroom.redis, newsroom.lanes).read_head(SLUG)
    return tuple(head.quarantined)
