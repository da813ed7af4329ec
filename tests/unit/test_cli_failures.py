"""The `writethru` command as a whole: its help, and how it fails."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from services.cli.__main__ import COMMANDS, run
from services.cli.failure import Failure
from tests.waiting import until_sync

NAMES = [name for names in COMMANDS.values() for name in names]


def writethru(*words: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)


def test_without_a_command_the_help_lists_every_one(capsys):
    assert run([]) == 0

    out = capsys.readouterr().out
    assert all(f"│ {name} " in out for name in NAMES)


def test_the_list_of_commands_needs_none_of_what_they_need():
    program = "import sys; from services.cli.__main__ import run; run([]); print(*sys.modules)"
    listed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout

    loaded = set(listed.splitlines()[-1].split())
    assert "services.cli.failure" in loaded
    assert not loaded & {f"services.cli.{name}" for name in NAMES}
    assert not loaded & {"redis", "pydantic", "httpx2"}


def test_a_command_may_come_after_the_end_of_the_options(capsys):
    assert run(["--", "fold", "--help"]) == 0

    assert "Usage: writethru fold" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name, capsys):
    assert run([name, "--help"]) == 0

    out, err = capsys.readouterr()
    assert f"Usage: writethru {name}" in out
    assert err == ""


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["pubish"], 2, "writethru: No such command 'pubish'. Did you mean 'publish'?;"),
        (["fold"], 2, "writethru fold: Missing argument 'FILE'; see writethru fold --help"),
        (["fold", "x", "--formt", "a"], 2, "writethru fold: No such option: --formt"),
        (["page", "Harbour Bridge"], 2, "writethru page: 'Harbour Bridge' is no slug;"),
        (["page", "ferry", "--from", "ftp://x"], 2, "writethru page: ftp://x is no address"),
        (["watch", "-x"], 2, "writethru watch: No such option"),
        (["up", "--no-auth", "--host", "0.0.0.0"], 2, "writethru up: --no-auth would let"),
        (["up", "--ingest-port", "8080"], 2, "writethru up: --ingest-port and --deliver"),
        (["up", "--data-dir", "a", "--redis-url", "redis://b"], 2, "writethru up: --data-dir is"),
        (["up", "--redis-url", "http://b"], 78, "writethru up: WRITETHRU_REDIS_URL: "),
        (["page", "ferry", "--from", "http://127.0.0.1:9"], 1, "writethru page: nothing answers"),
        (["watch", "--from", "http://127.0.0.1:9"], 1, "writethru watch: nothing answers"),
    ],
)
def test_a_failure_is_one_line_that_says_what_to_do(words, status, line, capsys):
    assert run(words) == status

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(line)
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["up", "demo", "verify", "rebuild", "ingest", "deliver", "render"])
def test_a_misspelt_setting_stops_the_start_with_its_nearest_name(name):
    environ = os.environ | {"WRITETHRU_REDIS_ULR": "redis://engine"}

    refused = writethru(name, env=environ)

    assert refused.returncode == 78
    assert refused.stderr.startswith(f"writethru {name}: WRITETHRU_REDIS_ULR is no setting")
    assert "WRITETHRU_REDIS_URL" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_fault_of_ours_is_one_line_too(monkeypatch, capsys):
    def fault(*_):
        raise ZeroDivisionError("of\ncourse")

    monkeypatch.setattr("services.cli.fold.read", fault)

    assert run(["fold", "x"]) == 1
    err = capsys.readouterr().err
    assert "this is a fault of writethru, please report it: ZeroDivisionError at test_cli" in err
    assert err.count("\n") == 1


def test_a_reader_that_has_gone_is_no_news():
    command = f"{sys.executable} -m services.cli --help | true"

    piped = subprocess.run(["/bin/sh", "-c", command], check=False, capture_output=True, text=True)

    assert piped.stderr == ""


def waits_for_more(pid: int, pipe: Any) -> bool:
    """Whether the process has taken all that is in *pipe*, and sleeps."""
    (unread,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
    return not unread and " S " in Path(f"/proc/{pid}/stat").read_text()


def test_an_interruption_is_silent():
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli", "fold", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # As a shell starts it: the test runner may have been told to ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as folding:
        assert folding.stdin
        assert folding.stderr
        folding.stdin.write(b" ")
        folding.stdin.flush()
        until_sync(lambda: waits_for_more(folding.pid, folding.stdin))

        folding.send_signal(signal.SIGINT)

        assert folding.wait(10) == 130
        assert folding.stderr.read() == b""


def test_a_line_never_becomes_two(monkeypatch, capsys):
    def fail(*_):
        raise Failure("one\n  and two")

    monkeypatch.setattr("services.cli.fold.read", fail)

    run(["fold", "x"])

    assert capsys.readouterr().err == "writethru fold: one and two\n"
