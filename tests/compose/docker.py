"""Docker as the story uses it: commands run as they stand in the docs, in a copy of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.stack import free_ports

#: What is written into `.env`, as an operator would.
SETTINGS = """
COMPOSE_PROJECT_NAME=writethru-test
IMAGE_TAG=test
INGEST_PORT=127.0.0.1:{ingest}
DELIVER_PORT=127.0.0.1:{deliver}
WRITETHRU_ARCHIVE_DIR=/archive
"""
#: What the image is made of, and what an operator copies.
PARTS = (
    *("Dockerfile", ".dockerignore", "docker-compose.yml", "docker-compose.cluster.yml"),
    *(".env.example", "requirements.lock", "services", "shared", "observability"),
)
HEALTH = "{{.Name}}: {{with .State.Health}}{{range .Log}}{{.Output}}{{end}}{{end}}"
LAST_LINES, LINE = 25, 300


class CantRun(Exception):
    """There is no Docker here, and none can be made; the message says what to do."""


class StepFailed(Exception):
    """A command failed."""


@dataclass
class Docker:
    """Runs commands in *folder*; *said* are those that were run, as they stand in the docs."""

    folder: Path
    environ: Mapping[str, str]
    ingest_port: int
    deliver_port: int
    said: set[str] = field(default_factory=set)

    @classmethod
    @contextmanager
    def of(cls, folder: Path, environ: Mapping[str, str]) -> Iterator[Docker]:
        """Take away in the end what the commands have made."""
        ingest, deliver = free_ports(2)
        docker = cls(folder, {**environ, "COMPOSE_ANSI": "never"}, ingest, deliver)
        try:
            yield docker
        except (StepFailed, AssertionError):
            docker.show("docker compose ps --all")
            docker.show(f"docker compose logs --no-color --tail {LAST_LINES}")
            docker.show(
                f"docker compose ps --all --quiet | xargs docker inspect --format '{HEALTH}'"
            )
            raise
        finally:
            docker.quiet("docker compose --profile tools down --volumes --remove-orphans")
            docker.quiet("docker image rm --force writethru:test writethru:next")

    def set(self, settings: str) -> None:
        """Write *settings* at the end of `.env`; the last one of a name counts."""
        with (self.folder / ".env").open("a") as file:
            file.write(settings)

    def run(self, command: str, *, give: bytes | None = None, quiet: bool = False) -> str:
        """Run *command* in a shell and return what it prints on standard output.

        Raises:
            StepFailed: it didn't end with status 0.
        """
        if not quiet:
            print(f"    $ {command}", flush=True)
        self.said.add(command)
        done = self._shell(command, give)
        if done.returncode:
            lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()
            raise StepFailed("\n".join([f"{command} ended with {done.returncode}:", *lines[-30:]]))
        return done.stdout.decode(errors="replace").strip()

    def quiet(self, command: str) -> None:
        """Run *command*, whatever becomes of it."""
        self._shell(command)

    def show(self, command: str) -> None:
        """Run *command* and print what it prints."""
        done = self._shell(command)
        for line in (done.stdout + done.stderr).decode(errors="replace").splitlines():
            print(f"    {line[:LINE]}", flush=True)

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what Docker knows of *container*."""
        found: list[dict[str, Any]] = orjson.loads(
            self.run(f"docker inspect {container}", quiet=True)
        )
        return found[0]

    def containers(self, service: str) -> list[str]:
        """Return the ids of the containers of *service*."""
        return self.run(f"docker compose ps --all --quiet {service}", quiet=True).split()

    def _shell(self, command: str, give: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env=dict(self.environ),
            input=give or b"",
            capture_output=True,
            check=False,
        )


@contextmanager
def a_docker() -> Iterator[Mapping[str, str]]:
    """Find a Docker, or run one; yield the environment in which `docker` works.

    Raises:
        CantRun: neither is possible.
    """
    if os.geteuid() != 0:
        raise CantRun("needs root: it kills the processes of containers; run it with sudo")
    if shutil.which("docker") and _works(os.environ):
        print("on the Docker that runs here", flush=True)
        yield os.environ
        return
    from tests.compose.debian import private_docker

    with private_docker() as environ:
        yield environ


def _works(environ: Mapping[str, str]) -> bool:
    commands = (["docker", "info"], ["docker", "compose", "version"])
    return all(
        subprocess.run(command, env=dict(environ), capture_output=True, check=False).returncode == 0
        for command in commands
    )


@contextmanager
def a_project(root: Path) -> Iterator[Path]:
    """Copy what is needed of the project at *root*, so that no `.env` of anybody is in the way."""
    with tempfile.TemporaryDirectory(prefix="writethru-compose-") as name:
        folder = Path(name)
        for part in PARTS:
            source = root / part
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / part, ignore=ignored)
            else:
                shutil.copy(source, folder / part)
        yield folder
