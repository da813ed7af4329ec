"""An engine behind TLS: the whole stack on it, and each way in which it is the wrong one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from shared.runtime.engine import Engine
from shared.runtime.keys import RENDER_GROUP, Lane
from tests.builders import SLUG, posted, published
from tests.integration.tls import TLS_ENGINE, Papers, client, port_of, proxy, tls_engine
from tests.stack import Command, free_ports, running
from tests.waiting import until_sync

SERVICES = ("ingest", "render", "deliver")
URL = "WRITETHRU_REDIS_URL"
BEHIND = ["proxy", *(["redis-server"] if TLS_ENGINE else [])]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def port(engine: Engine, papers: Papers) -> Iterator[int]:
    with proxy(papers, engine.url) as port:
        yield port


def ended(folder: Path, service: str, **settings: str) -> tuple[int, str]:
    """Run a service that can't start, and return its exit status and all that it said."""
    where = dict.fromkeys(("INGEST", "DELIVER", "METRICS"), "127.0.0.1:0")
    listen = {f"WRITETHRU_{name}_LISTEN": place for name, place in where.items()}
    command = Command(folder, service, **listen, **settings)
    try:
        return command.process.wait(30), command.said()
    finally:
        command.clear()


@pytest.mark.parametrize("behind", BEHIND)
def test_the_whole_stack_works_over_tls_with_a_certificate_of_its_own(
    redis: Any, engine: Engine, papers: Papers, tmp_path: Path, behind: str
) -> None:
    with ExitStack() as around:
        edge = proxy(papers, engine.url) if behind == "proxy" else tls_engine(papers)
        port = around.enter_context(edge)
        settings = {URL: f"rediss://localhost:{port}/0", **papers.settings()}
        stack = around.enter_context(running(tmp_path, **settings))

        stack.file([published(), posted("u1")])

        assert stack.page(SLUG, 2)["update_count"] == 1
        # And what woke the renderer came the same way
        seen = client(papers, port)
        lanes = [Lane(str(tag)) for tag in seen.lrange("writethru:lanes", 0, -1)]
        groups: Any = [group for lane in lanes for group in seen.xinfo_groups(lane.events)]
        assert sum(group["entries-read"] or 0 for group in groups) == 2
        assert {group["name"] for group in groups} == {RENDER_GROUP}
        keys = Command(tmp_path, "keys", "list", **settings)
        assert keys.process.wait(30) == 0


@pytest.mark.parametrize("service", SERVICES)
def test_an_engine_that_an_unknown_authority_vouches_for_ends_the_start_in_one_line(
    port: int, papers: Papers, tmp_path: Path, service: str
) -> None:
    for files in (papers.settings(ca="other"), papers.settings(ca="")):
        status, said = ended(tmp_path, service, **{URL: f"rediss://localhost:{port}"}, **files)

        assert status == 78
        assert said.count("\n") == 1
        assert said.startswith(f"writethru {service}: WRITETHRU_REDIS_CA_FILE: ")
        assert "can't be verified" in said


@pytest.mark.parametrize("service", SERVICES)
def test_an_engine_with_a_certificate_for_another_host_ends_the_start_in_one_line(
    engine: Engine, papers: Papers, tmp_path: Path, service: str
) -> None:
    with proxy(papers, engine.url, "elsewhere") as port:
        url = {URL: f"rediss://localhost:{port}"}
        status, said = ended(tmp_path, service, **url, **papers.settings())

    assert (status, said.count("\n")) == (78, 1)
    assert said.startswith(f"writethru {service}: WRITETHRU_REDIS_URL: ")
    assert "is for another host" in said


def test_that_the_host_is_not_checked_can_be_asked_for(
    redis: Any, engine: Engine, papers: Papers, tmp_path: Path
) -> None:
    with proxy(papers, engine.url, "elsewhere") as port:
        unchecked = {URL: f"rediss://localhost:{port}", "WRITETHRU_REDIS_CHECK_HOSTNAME": "false"}
        command = Command(tmp_path, "keys", "list", **unchecked, **papers.settings())

        assert command.process.wait(30) == 0


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("client", ["other", ""])
def test_an_engine_that_does_not_take_our_certificate_is_named_as_the_cause(
    engine: Engine, papers: Papers, tmp_path: Path, client: str, behind: str
) -> None:
    edge = proxy(papers, engine.url) if behind == "proxy" else tls_engine(papers)
    with edge as port:
        url = {URL: f"rediss://localhost:{port}"}
        command = Command(tmp_path, "render", **url, **papers.settings(client=client))
        try:
            until_sync(command.said, 30)
            said = command.said()
        finally:
            command.clear()

    # If the engine says why, it is a wrong setting; it may also just close the line.
    line = "WRITETHRU_REDIS_CERT_FILE: the engine does not take our certificate"
    assert line in said or "does it want a certificate of ours" in said
    assert said.count("\n") == 1


def test_a_port_without_tls_is_waited_for_with_a_hint(
    engine: Engine, papers: Papers, tmp_path: Path
) -> None:
    plain = {URL: f"rediss://localhost:{port_of(engine.url)}", **papers.settings()}
    command = Command(tmp_path, "deliver", **plain)  # of all it tries the fewest times
    try:
        assert "does that port speak TLS" in command.saying("engine.awaited")
    finally:
        command.clear()


def test_a_port_with_tls_that_is_spoken_to_plainly_is_waited_for_with_a_hint(
    port: int, tmp_path: Path
) -> None:
    command = Command(tmp_path, "render", **{URL: f"redis://localhost:{port}"})
    try:
        assert "begins with rediss://" in command.saying("engine.awaited")
    finally:
        command.clear()


@pytest.mark.parametrize("words", [("keys", "list"), ("up",), ("verify",), ("doctor",)])
def test_the_command_line_says_it_in_one_line_too(
    port: int, papers: Papers, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ingest, deliver = (f"127.0.0.1:{port}" for port in free_ports(2))
    where = {"WRITETHRU_INGEST_LISTEN": ingest, "WRITETHRU_DELIVER_LISTEN": deliver}
    wrong = {URL: f"rediss://localhost:{port}", **papers.settings(ca="other")}
    command = Command(tmp_path, *words, **where, **wrong)

    status = command.process.wait(30)

    assert status == (1 if words == ("doctor",) else 78)
    assert "WRITETHRU_REDIS_CA_FILE: the engine's certificate can't be verified" in command.said()
    assert "Traceback" not in command.said()
