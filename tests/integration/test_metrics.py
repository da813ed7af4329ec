"""What a real stack says of itself on its internal ports."""

from __future__ import annotations

import math
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx2
import pytest

from shared.runtime.internal_port import PORTS, PORTS_TRIED, bound
from shared.runtime.settings import Listen, SettingsError
from tests.builders import SOURCE, posted, published
from tests.figures import Figures, figures_at
from tests.stack import ENGINE, Stack, free_range, running
from tests.waiting import until_sync

WORKERS = 2
#: Longer than anything takes that works, and less than what a clock's mistake would make of it.
WITHIN_SECONDS = 60


@dataclass
class Watched:
    """A stack, and the internal ports of its processes."""

    stack: Stack
    first: int

    @property
    def ingest(self) -> Figures:
        return figures_at(self.first)

    @property
    def deliver(self) -> Figures:
        return figures_at(self.first + 1)

    @property
    def renders(self) -> list[Figures]:
        return [figures_at(self.first + 2 + number) for number in range(WORKERS)]

    def rendered(self, name: str, *labels: str) -> float:
        """Return a figure of all renderers together."""
        return sum(each[name, labels] for each in self.renders)

    def ask(self, place: int, path: str) -> httpx2.Response:
        return httpx2.get(f"http://127.0.0.1:{self.first + place}{path}", trust_env=False)

    @contextmanager
    def reader(self, path: str) -> Iterator[Iterator[str]]:
        """Have a stream open, and yield its lines."""
        with (
            httpx2.Client(trust_env=False, timeout=20) as http,
            http.stream("GET", f"{self.stack.deliver}{path}") as answer,
        ):
            yield answer.iter_lines()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    first = free_range(2 + WORKERS)
    folder = tmp_path_factory.mktemp("up")
    words = ("--workers", str(WORKERS))
    settings = {"WRITETHRU_METRICS_LISTEN": f"127.0.0.1:{first}"}
    with running(folder, *words, **settings) as stack:
        yield Watched(stack, first)


def grown(before: Figures, after: Figures, name: str) -> dict[tuple[str, ...], float]:
    """Return by how much each series of a metric has grown, those that have."""
    return {
        labels: value - before.get((name, labels), 0)
        for (its_name, labels), value in after.items()
        if its_name == name and value != before.get((name, labels), 0)
    }


def test_events_are_counted_by_what_became_of_them(watched):
    before = watched.ingest
    opening = published(slug="counted", id="opening")
    stranger = {**posted("u5", slug="nowhere"), "source": "/who/knows"}
    # A source has a name once something of it was filed.
    watched.stack.file([opening, opening])
    watched.stack.file([
        posted("u1", slug="counted"),
        posted("u1", slug="counted"),
        posted("u2", slug="nowhere"),
        {**posted("u3", slug="counted"), "data": {}},
        {**posted("u4", slug="counted"), "type": "com.example.made-up"},
        stranger,
    ])  # fmt: skip

    after = watched.ingest

    assert grown(before, after, "writethru_events_total") == {
        (SOURCE, "article.published", "accepted"): 1,
        (SOURCE, "article.published", "duplicate"): 1,
        (SOURCE, "update.posted", "accepted"): 1,
        (SOURCE, "update.posted", "rejected"): 3,
        (SOURCE, "other", "rejected"): 1,
        ("other", "update.posted", "rejected"): 1,
    }
    assert grown(before, after, "writethru_events_refused_total") == {
        ("update-exists",): 1,
        ("unknown-article",): 2,
        ("invalid",): 2,
    }
    assert grown(before, after, "writethru_append_seconds_count") == {(): 3}  # one, and two lanes


def test_a_request_that_is_refused_as_a_whole_is_counted_by_its_code(watched):
    before = watched.ingest
    url = f"{watched.stack.ingest}/v1/events"

    httpx2.post(url, content=b"{", headers={"content-type": "text/plain"}, trust_env=False)

    refused = grown(before, watched.ingest, "writethru_requests_refused_total")
    assert refused == {("unsupported",): 1}


def test_what_renderers_do_is_counted(watched):
    wakeups = watched.rendered("writethru_wakeups_total", "read")
    commits = watched.rendered("writethru_commits_total", "committed")
    measured = watched.rendered("writethru_snapshot_seconds_count")
    took = watched.rendered("writethru_snapshot_seconds_sum")
    watched.stack.file([published(slug="folded"), posted("u1", slug="folded")])
    watched.stack.page("folded", 2)

    assert watched.rendered("writethru_wakeups_total", "read") == wakeups + 2
    grown_commits = watched.rendered("writethru_commits_total", "committed") - commits
    assert grown_commits >= 1
    assert watched.rendered("writethru_snapshot_seconds_count") - measured == grown_commits
    assert watched.rendered("writethru_snapshot_seconds_sum") - took < WITHIN_SECONDS
    for figures in watched.renders:
        assert figures["writethru_renders_failed_total", ()] == 0


def test_every_process_says_how_the_engine_is(watched):
    watched.stack.file([published(slug="engine")])
    watched.stack.page("engine", 1)

    for figures in (watched.ingest, watched.deliver, *watched.renders):
        assert figures["writethru_engine_up", ()] == 1
        assert figures["writethru_lag_seconds", ()] == 0
        assert figures["writethru_dirty_articles", ()] == 0
        assert figures["writethru_engine_memory_used_bytes", ()] > 100_000
        assert figures["writethru_engine_memory_max_bytes", ()] == 0
        assert figures["writethru_engine_uptime_seconds", ()] >= 0
    assert watched.ingest["writethru_inbox_waiting", ()] == 0
    for figures in watched.renders:
        assert figures["writethru_stream_entries", ("events",)] >= 1
        assert figures["writethru_stream_entries", ("changes",)] >= 1
    until_sync(lambda: watched.renders[0]["writethru_waiting_wakeups", ()] == 0)


def test_readers_and_what_they_are_told_are_counted_and_how_old_it_was(watched):
    watched.stack.file([published(slug="followed")])
    watched.stack.page("followed", 1)
    before = watched.deliver

    with (
        watched.reader("/articles/followed/live?since=1") as lines,
        watched.reader("/articles/followed/live?since=1"),
        watched.reader("/live"),
    ):
        assert watched.deliver["writethru_readers", ()] == 3
        watched.stack.file([posted("u1", slug="followed")])
        assert any(line == "event: change" for line in lines)
        until_sync(lambda: watched.deliver["writethru_frames_total", ("all", "change")] > 0)
        after = watched.deliver

    assert grown(before, after, "writethru_frames_total") == {
        ("article", "change"): 2,
        ("all", "change"): 1,
    }
    assert grown(before, after, "writethru_delivery_seconds_count") == {(): 1}
    assert grown(before, after, "writethru_delivery_seconds_sum")[()] > 0
    until_sync(lambda: watched.deliver["writethru_readers", ()] == 0)


def test_what_a_reader_missed_is_no_measure_of_how_fast_we_are(watched):
    watched.stack.file([published(slug="missed"), posted("u1", slug="missed")])
    watched.stack.page("missed", 2)
    before = watched.deliver

    with watched.reader("/articles/missed/live?since=1") as lines:
        assert any(line == "event: change" for line in lines)

    after = watched.deliver
    assert grown(before, after, "writethru_frames_total") == {("article", "change"): 1}
    assert grown(before, after, "writethru_delivery_seconds_count") == {}


def test_answers_are_counted_by_format_and_status(watched):
    watched.stack.file([published(slug="read")])
    watched.stack.page("read", 1)
    before = watched.deliver

    page = watched.stack.get("/articles/read")
    url = f"{watched.stack.deliver}/articles/read"
    httpx2.get(url, headers={"if-none-match": page.headers["etag"]}, trust_env=False)
    watched.stack.get("/articles/read.txt")
    watched.stack.get("/articles/read.txt")
    watched.stack.get("/articles/read/changes?since=1")
    watched.stack.get("/articles/nowhere.json")
    watched.stack.get("/robots.txt")

    after = watched.deliver
    assert grown(before, after, "writethru_answers_total") == {
        ("html", "200"): 1,
        ("html", "304"): 1,
        ("static", "200"): 1,
        ("txt", "200"): 2,
        ("changes", "204"): 1,
        ("json", "404"): 1,
    }
    lookups = grown(before, after, "writethru_cache_lookups_total")
    assert (lookups["pages", "made"], lookups["pages", "hit"]) == (2, 2)


@pytest.mark.parametrize("place", range(2 + WORKERS))
def test_every_process_has_probes_on_its_internal_port(watched, place):
    assert watched.ask(place, "/healthz").text == "ok\n"
    ready = watched.ask(place, "/readyz")
    assert ready.status_code == 200
    assert ready.json()["checks"]["engine"]["ok"]
    assert watched.ask(place, "/articles/read").status_code == 404


def test_a_silent_engine_is_told_of_and_nothing_else_is_made_up(watched):
    pid = watched.stack.pid_of(ENGINE)
    os.kill(pid, signal.SIGSTOP)
    try:
        for figures in (watched.ingest, watched.deliver, *watched.renders):
            assert figures["writethru_engine_up", ()] == 0
            assert math.isnan(figures["writethru_lag_seconds", ()])
        ready = watched.ask(2, "/readyz")
        assert ready.status_code == 503
        assert "does not answer" in ready.json()["checks"]["engine"]["detail"]
    finally:
        os.kill(pid, signal.SIGCONT)

    until_sync(lambda: watched.ingest["writethru_engine_up", ()] == 1)
    until_sync(lambda: watched.ask(2, "/readyz").status_code == 200)
    until_sync(lambda: watched.deliver["writethru_hub_restarts_total", ()] == 1)


def test_processes_that_are_told_no_port_each_find_one():
    with ExitStack() as open_:
        ports = [
            open_.enter_context(bound(None, "render")).getsockname() for _ in range(PORTS_TRIED + 1)
        ]

    assert {host for host, _ in ports} == {"127.0.0.1"}
    assert len({port for _, port in ports}) == PORTS_TRIED + 1
    tried = range(PORTS["render"], PORTS["render"] + PORTS_TRIED)
    assert ports[-1][1] not in tried


def test_a_port_that_is_set_and_taken_is_a_wrong_setting():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(SettingsError, match=f"WRITETHRU_METRICS_LISTEN: 127.0.0.1:{port} can't"),
            bound(Listen(host="127.0.0.1", port=port), "ingest"),
        ):
            pass
