"""`writethru up` with real processes: it comes up whole, stays up, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import redis

from shared.runtime.engine import Engine
from tests.builders import SLUG, posted, published
from tests.stack import ENGINE, Stack, running
from tests.waiting import until_sync


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("up"), "--workers", "2") as stack:
        stack.file([published(), posted("u1")])
        stack.page(SLUG, 2)
        yield stack


def test_it_is_ready_when_it_says_so_and_names_the_addresses(tmp_path):
    stack = Stack(tmp_path, "--no-auth")
    try:
        said = stack.ready().said()

        for url in (stack.ingest, stack.deliver):
            assert httpx2.get(f"{url}/readyz", trust_env=False).status_code == 200
            assert url in said
        assert re.search(rf"{re.escape(stack.redis_url)} +data in data\n", said)
    finally:
        stack.end()
        stack.clear()


def test_it_names_the_address_of_each_process_metrics_and_one_that_is_started_again_keeps_its_own(
    up,
):
    named = re.findall(r"(http://127\.0\.0\.1:\d+/metrics) +(\w+(?: 2)?)\n", up.said())
    assert sorted(name for _, name in named) == ["deliver", "ingest", "render", "render 2"]
    for url, name in named:
        shown = httpx2.get(url, trust_env=False).text
        mark = {"ingest": "append", "deliver": "delivery"}.get(name, "snapshot")
        assert f"\nwritethru_{mark}_seconds_count " in shown

    url = next(url for url, name in named if name == "ingest")
    os.kill(up.pid_of("services.ingest"), signal.SIGKILL)

    until_sync(lambda: "writethru: ingest was ended by SIGKILL" in up.said(), 30)
    until_sync(lambda: answers(up), 30)
    assert "\nwritethru_append_seconds_count " in httpx2.get(url, trust_env=False).text


def test_each_process_says_which_service_it_is(up):
    assert len(up.processes("services.render")) == 2
    assert len(up.processes("services.ingest")) == 1
    assert len(up.processes("services.deliver")) == 1
    assert len(up.processes(ENGINE)) == 1


@pytest.mark.parametrize("service", ["render", "ingest", "deliver"])
def test_a_service_that_is_killed_is_started_again(up, service):
    victim = min(up.processes(f"services.{service}"))
    others = len(up.processes(f"services.{service}"))

    os.kill(victim, signal.SIGKILL)

    until_sync(lambda: victim not in up.processes(), 30)
    until_sync(lambda: len(up.processes(f"services.{service}")) == others, 30)
    assert f"writethru: {service} was ended by SIGKILL; starting it again\n" in up.said()
    until_sync(lambda: answers(up), 30)
    version = up.file([posted(f"after-{service}")])[0]["seq"]
    assert up.page(SLUG, version)["version"] == version


def answers(stack: Stack) -> bool:
    try:
        both = [httpx2.get(f"{url}/readyz", trust_env=False) for url in stack_urls(stack)]
    except httpx2.TransportError:
        return False
    return all(answer.status_code == 200 for answer in both)


def stack_urls(stack: Stack) -> tuple[str, str]:
    return stack.ingest, stack.deliver


def test_an_engine_that_is_killed_is_started_again_on_its_data(up):
    before, pid = up.redis_url, up.pid_of(ENGINE)
    (first,) = up.file([posted("before")])

    os.kill(pid, signal.SIGKILL)

    until_sync(lambda: answers(up) and pid not in up.processes(ENGINE), 60)
    assert "writethru: the engine ended; starting it again on the same data\n" in up.said()
    assert up.redis_url == before
    (second,) = up.file([posted("afterwards")])
    assert (first["status"], second["seq"]) == ("accepted", first["seq"] + 1)
    assert up.page(SLUG, second["seq"])["version"] == second["seq"]


def test_a_signal_stops_everything_and_the_next_run_serves_the_data(tmp_path):
    for version, number in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), start=1):
        stack = Stack(tmp_path, "--no-auth")
        try:
            stack.ready()
            if version > 1:
                assert stack.page(SLUG, version - 1)["version"] == version - 1
            stack.file([published() if version == 1 else posted(f"u{version}")])

            assert stack.end(number) == 0
            assert stack.said().endswith("writethru: stopping\nwritethru: stopped\n")
        finally:
            stack.clear()
    with Engine(tmp_path / "data") as engine:
        assert engine.alive


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path):
    stack = Stack(tmp_path, "--no-auth")
    try:
        stack.ready()
        assert len(stack.processes("services.")) == 4

        assert stack.end(signal.SIGKILL) == -signal.SIGKILL
    finally:
        stack.clear()


@pytest.mark.parametrize(
    "moment", ["services.cli", ENGINE, "/bin/sh", "services.render", "services.deliver"]
)
def test_an_interruption_while_it_starts_leaves_nothing_behind(tmp_path, moment):
    stack = Stack(tmp_path, "--no-auth")
    try:
        until_sync(lambda: stack.processes(moment), 30)

        stack.end()
    finally:
        stack.clear()
    assert "Traceback" not in stack.said()


def test_an_impatient_second_interruption_leaves_nothing_behind(tmp_path):
    stack = Stack(tmp_path, "--no-auth")
    try:
        stack.ready()
        stack.process.send_signal(signal.SIGINT)
        stack.saying("stopping")

        assert stack.end() == 0
    finally:
        stack.clear()


@pytest.mark.parametrize("service", ["ingest", "deliver"])
def test_a_port_in_use_is_one_line_with_its_option(tmp_path, service):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        stack = Stack(tmp_path, f"--{service}-port", str(port))

        assert stack.process.wait(30) == 1
    (line,) = stack.said().splitlines()[1:]
    assert line.startswith(f"writethru up: {service} can't listen on port {port} of 127.0.0.1")
    assert line.endswith(f"choose another with --{service}-port")
    assert not stack.processes()


def test_without_keys_it_says_that_publishing_is_refused_and_how_to_allow_it(tmp_path):
    stack = Stack(tmp_path)
    try:
        said = stack.ready().said()

        assert "no API keys exist yet, so publishing is refused (401)" in said
        assert "writethru up --no-auth" in said
        answer = httpx2.post(
            f"{stack.ingest}/v1/events",
            json=published(),
            headers={"content-type": "application/cloudevents+json"},
            trust_env=False,
        )
        assert answer.status_code == 401
    finally:
        stack.end()
        stack.clear()


def test_a_second_one_on_the_same_data_is_refused_by_the_first_ones_name(up):
    second = Stack(up.data.parent, "--no-auth")

    assert second.process.wait(30) == 1
    (line,) = second.said().splitlines()[1:]
    assert line.startswith(f"writethru up: the data folder {up.data} is in use by process ")
    assert not second.processes("services.")


def test_an_engine_that_runs_is_used_instead_of_its_own(tmp_path, engine):
    with redis.Redis.from_url(engine.url) as client:
        client.flushall()
    with running(tmp_path, "--redis-url", engine.url) as stack:
        assert not stack.processes(ENGINE)
        assert engine.url in stack.said()
        assert stack.file([published()])[0]["status"] == "accepted"
    assert engine.alive


def test_an_engine_that_does_not_answer_is_one_line(tmp_path):
    stack = Stack(tmp_path, "--redis-url", "redis://127.0.0.1:9/0")

    assert stack.process.wait(30) == 1
    assert "writethru up: the engine of --redis-url can't be used" in stack.said()
    assert not stack.processes()


def test_an_engine_that_can_lose_what_is_accepted_is_refused_in_one_line(tmp_path, engine):
    with redis.Redis.from_url(engine.url) as client:
        client.flushall()
        client.config_set("appendfsync", "everysec")
        try:
            stack = Stack(tmp_path, "--redis-url", engine.url)

            assert stack.process.wait(30) == 78
        finally:
            client.config_set("appendfsync", "always")
    (line,) = stack.said().splitlines()[1:]
    assert line.startswith("writethru up: WRITETHRU_DURABILITY is fsync, which the engine (")


def test_lanes_that_do_not_fit_the_data_are_a_wrong_setting(tmp_path: Path):
    with running(tmp_path):
        pass

    stack = Stack(tmp_path, "--no-auth", WRITETHRU_LANES="4")

    assert stack.process.wait(30) == 78
    assert "writethru up: WRITETHRU_LANES is 4, but" in stack.said()
    assert not stack.processes()
