"""Every command of the README, run as it stands there and in its order."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.compose import cluster, story
from tests.stack import Stack

ROOT = Path(__file__).parents[2]
#: What the long run in containers runs as documented.
DOCUMENTED = (*story.DOCUMENTED, *cluster.DOCUMENTED)


def blocks(page: str) -> list[str]:
    """Return what *page* tells its readers to run, each block as it stands there."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(r"^```sh\n(.*?)```", text, re.MULTILINE | re.DOTALL)


COMMANDS = blocks("README.md")
#: What is told of containers, a command a line.
IN_CONTAINERS = [
    line
    for block in [*COMMANDS, *blocks("docs/operations.md")]
    if "docker" in block
    for line in block.splitlines()
]

#: Run elsewhere: `demo` by the tests of the demo, `test` by whoever runs this.
ELSEWHERE = {"./writethru demo\n": "test_cli_demo.py", "./writethru test\n": ".ci/run"}

UP = "./writethru up --no-auth\n"


def test_the_readme_has_the_commands_of_the_first_five_minutes() -> None:
    assert [command for command in COMMANDS if command.startswith("./writethru")] == [
        *ELSEWHERE,
        UP,
    ]
    assert "./writethru test" in (ROOT / ".ci/run").read_text("utf-8")


@pytest.mark.curl
def test_what_the_readme_publishes_shows_as_it_says(tmp_path: Path) -> None:
    # Given the stack, as the README starts it
    words = shlex.split(UP)[2:]
    stack = Stack(tmp_path, *words)
    try:
        stack.ready()

        # When its other commands are run in their order
        answers = [_run(stack, command) for command in COMMANDS if command.startswith("curl")]

        # Then they answer what it says
        assert [answer.count('"status":"accepted"') for answer in answers[:3]] == [1, 1, 1]
        assert "Talks resume at two, the union says." in answers[3]
        assert '"kind":"changed"' in answers[4]
        assert "event: change" in answers[5]
        stack.end()
    finally:
        stack.clear()


def test_every_command_of_the_readme_is_one_that_is_tested() -> None:
    for command in COMMANDS:
        known = command in ELSEWHERE or command == UP or command.startswith("curl -sS")
        assert known or command.strip() in IN_CONTAINERS, command


@pytest.mark.parametrize("command", IN_CONTAINERS)
def test_every_command_for_containers_is_one_that_is_run_on_a_real_docker(command: str) -> None:
    assert command in DOCUMENTED


def test_every_command_that_is_run_there_as_documented_is_documented() -> None:
    assert set(DOCUMENTED) == set(IN_CONTAINERS)


def _run(stack: Stack, command: str) -> str:
    """Run *command* against *stack*; one that follows a stream ends with its first change."""
    command = command.replace(":8000", f":{stack.ingest_port}")
    command = command.replace(":8080", f":{stack.deliver_port}")
    if "/articles/" in command:
        stack.page("ferry-strike", 3)
    process = subprocess.Popen(
        ["/bin/sh", "-c", command], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    if "curl -sSN" not in command:
        return process.communicate(timeout=30)[0]
    assert process.stdout is not None
    said = ""
    while "data:" not in said and (line := process.stdout.readline()):
        said += line
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return said
