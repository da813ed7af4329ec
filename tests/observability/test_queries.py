"""Every query of a dashboard, and every rule, on a real Prometheus that asks a real stack."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import httpx2
import pytest
import redis

from tests.builders import posted, published
from tests.observability.parts import Query, alerts, queries_of_alerts, queries_of_dashboards
from tests.observability.prometheus import Prometheus, asking
from tests.stack import Stack, free_range, running
from tests.waiting import until_sync

pytestmark = pytest.mark.prometheus

WORKERS = 2
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.2

each_query = pytest.mark.parametrize(
    "query", queries_of_dashboards(), ids=lambda query: query.place
)
each_rule = pytest.mark.parametrize("rule", queries_of_alerts(), ids=lambda rule: rule.place)


class Traffic:
    """Somebody who files, gets things wrong and reads, over and over, until told to stop."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._follow)
        self._desk = threading.Thread(target=self._file)

    def begin(self) -> None:
        self._stack.file([published(slug="busy")])
        self._stack.page("busy", 1)
        self._reader.start()
        self._desk.start()

    def end(self) -> None:
        self._over.set()
        self._desk.join()
        self._reader.join()

    def _file(self) -> None:
        number = 0
        while not self._over.wait(PAUSE_SECONDS):
            number += 1
            update = posted(f"u{number}", slug="busy")
            # Once and again, and one of an article that there isn't.
            self._stack.file([update, update, posted("u", slug="nowhere")])
            for path in ("/articles/busy", "/articles/nowhere", "/latest.json"):
                self._stack.get(path)
            url = f"{self._stack.ingest}/v1/events"
            headers = {"content-type": "text/plain"}
            httpx2.post(url, content=b"{", headers=headers, trust_env=False)

    def _follow(self) -> None:
        url = f"{self._stack.deliver}/articles/busy/live"
        with (
            httpx2.Client(trust_env=False, timeout=60) as http,
            http.stream("GET", url) as answer,
        ):
            for _ in answer.iter_lines():
                if self._over.is_set():
                    return


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder, first = tmp_path_factory.mktemp("observed"), free_range(2 + WORKERS)
    settings = {
        "WRITETHRU_METRICS_LISTEN": f"127.0.0.1:{first}",
        "WRITETHRU_PURGE_URL": "http://127.0.0.1:9/",  # a cache that nobody finds
    }
    targets = {
        "ingest": [first],
        "deliver": [first + 1],
        "render": [first + 2 + number for number in range(WORKERS)],
    }
    with (
        running(folder, "--workers", str(WORKERS), **settings) as stack,
        asking(folder, targets) as prometheus,
    ):
        with redis.Redis.from_url(stack.redis_url) as engine:
            engine.config_set("maxmemory", "1gb")  # as in the containers
        traffic = Traffic(stack)
        traffic.begin()
        try:
            yield prometheus
        finally:
            traffic.end()


@each_query
def test_a_dashboards_query_has_an_answer_and_its_series_have_their_names(
    prometheus: Prometheus, query: Query
) -> None:
    found = until_sync(lambda: prometheus.answers(query), PATIENCE_SECONDS)

    for label in re.findall(r"{{(\w+)}}", query.legend):
        assert all(series["metric"].get(label) for series in found), found
    if not query.legend:
        assert query.instant or len(found) == 1


@each_rule
def test_there_are_figures_for_what_a_rule_asks(prometheus: Prometheus, rule: Query) -> None:
    until_sync(lambda: all(map(prometheus.ask, rule.selectors)), PATIENCE_SECONDS)


def test_prometheus_works_every_rule_out_and_a_stack_that_is_well_raises_no_alarm(
    prometheus: Prometheus,
) -> None:
    def judged() -> bool:
        return all(rule["health"] == "ok" for rule in prometheus.rules())

    until_sync(judged, PATIENCE_SECONDS)

    rules = prometheus.rules()
    assert {rule["name"] for rule in rules} == set(alerts())
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


def test_all_processes_of_all_services_are_asked(prometheus: Prometheus) -> None:
    asked = until_sync(lambda: prometheus.ask('up{job="writethru"} == 1'), PATIENCE_SECONDS)

    services = sorted(series["metric"]["service"] for series in asked)
    assert services == ["deliver", "ingest", *["render"] * WORKERS]
