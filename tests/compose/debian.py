"""A Docker of our own on Debian, where none runs and no registry of images can be reached.

The engine is Debian's. A small tree of Debian 13 has the rest: compose, and Python and Redis, from
which stand-ins of the two base images are made. They show that our files are right, not how the
official images behave.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.compose.docker import CantRun
from tests.compose.netfilter import packet_filter_kept
from tests.waiting import until_sync

#: Kept between runs: it takes longest to make.
TREE = Path("/var/cache/writethru-compose/trixie")
INSIDE = (
    "ca-certificates,docker-compose,prometheus,python3,python3-pip,python3-venv,redis-server,"
    "redis-tools"
)
COMPOSE = TREE / "usr/libexec/docker/cli-plugins/docker-compose"
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
PROGRAMS = {"dockerd": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap"}
PROMTOOL = "usr/bin/promtool"
PYTHON, REDIS = "python:3.13-slim-trixie", "redis:8"
PROMETHEUS = "prom/prometheus:v3.14.0"
#: The official images' numbers for them.
REDIS_USER, PROMETHEUS_USER = "999", "65534"
START_SECONDS = STOP_SECONDS = 60.0
REASON = 300


@contextmanager
def private_docker() -> Iterator[Mapping[str, str]]:
    """Run a Docker with the base images in it, in a folder of its own; end it, and clean up.

    Raises:
        CantRun: this machine doesn't let it run.
    """
    _install()
    _make_tree()
    with tempfile.TemporaryDirectory(prefix="writethru-docker-", dir="/var/tmp") as name:
        home = Path(name)
        environ = _environment(home)
        with packet_filter_kept(), _no_bridge_left(), _daemon(home, environ):
            print("on a Docker of our own, with stand-ins for the base images", flush=True)
            _import(
                PYTHON, environ, *_for_builds(), without=("usr/bin/redis-*", "usr/libexec/docker")
            )
            _import(REDIS, environ, "WORKDIR /data", "VOLUME /data", 'CMD ["redis-server"]')
            _import(PROMETHEUS, environ, 'ENTRYPOINT ["/usr/bin/prometheus"]')
            yield environ


def _install() -> None:
    missing = [package for name, package in PROGRAMS.items() if not shutil.which(name)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise CantRun("needs a Docker that runs; or Debian, where it can install one")
    _must(["apt-get", "update", "-qq"], "the package lists can't be had")
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    _must(install, f"{' '.join(missing)} can't be installed", DEBIAN_FRONTEND="noninteractive")


def _make_tree() -> None:
    if COMPOSE.exists() and (TREE / PROMTOOL).exists() and (TREE / "data").exists():
        return
    print("making a tree of Debian 13, once", flush=True)
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.parent.mkdir(parents=True, exist_ok=True)
    include = ["--variant=minbase", f"--include={INSIDE}"]
    _must(["debootstrap", *include, "trixie", str(TREE), _mirror()], "no tree of Debian 13")
    shutil.copy(Path("/", CERTIFICATES), TREE / CERTIFICATES)
    # As in the official image: pip may install, and python is python3.
    for marker in TREE.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    for link, program in (("python", "python3"), ("pip", "pip3")):
        (TREE / "usr/local/bin" / link).symlink_to(f"/usr/bin/{program}")
    for command in ("usermod --uid", "groupmod --gid"):
        _must(["chroot", str(TREE), *command.split(), REDIS_USER, "redis"], "no user for Redis")
    shutil.rmtree(TREE / "var/cache/apt", ignore_errors=True)
    shutil.rmtree(TREE / "var/lib/apt/lists", ignore_errors=True)
    # The images' folders for data belong to their users, and so do volumes made from them.
    for name, user in (("prometheus", PROMETHEUS_USER), ("data", REDIS_USER)):
        folder = TREE / name
        folder.mkdir()
        os.chown(folder, int(user), int(user))


def _mirror() -> str:
    """Return where this Debian gets its packages."""
    for source in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.*")]:
        for line in source.read_text().splitlines() if source.exists() else ():
            for word in line.split() if line.startswith(("deb ", "URIs:")) else ():
                if word.rstrip("/").endswith("/debian"):
                    return word
    raise CantRun("no Debian mirror is named in /etc/apt")


def _environment(home: Path) -> Mapping[str, str]:
    plugins = home / "config" / "cli-plugins"
    plugins.mkdir(parents=True)
    shutil.copy(COMPOSE, plugins / "docker-compose")
    return {
        **os.environ,
        "DOCKER_HOST": f"unix://{home}/docker.sock",
        "DOCKER_CONFIG": str(plugins.parent),
        "DOCKER_BUILDKIT": "1",
    }


@contextmanager
def _daemon(home: Path, environ: Mapping[str, str]) -> Iterator[None]:
    log = home / "dockerd.log"
    folders = ("--data-root", f"{home}/data", "--exec-root", f"{home}/exec")
    rest = ("--pidfile", f"{home}/docker.pid", "--host", environ["DOCKER_HOST"])
    with log.open("wb") as file:
        daemon = subprocess.Popen(
            ["dockerd", *folders, *rest],
            stdout=file,
            stderr=file,
            start_new_session=True,  # a Ctrl-C is for us; Docker ends when we have cleaned up
        )
    try:
        until_sync(lambda: daemon.poll() is not None or _answers(environ), START_SECONDS)
        if daemon.poll() is not None:
            raise CantRun(f"a Docker does not run here: {_why(log.read_text(errors='replace'))}")
        yield
    finally:
        daemon.terminate()
        daemon.wait(STOP_SECONDS)


def _why(log: str) -> str:
    """Return Docker's last words, as one line."""
    return " ".join(log.rpartition("failed to start daemon:")[2].split())[:REASON]


@contextmanager
def _no_bridge_left() -> Iterator[None]:
    """Take Docker's bridge away in the end, unless it was there before."""
    bridge = Path("/sys/class/net/docker0")
    was_there = bridge.exists()
    try:
        yield
    finally:
        if bridge.exists() and not was_there:
            subprocess.run(["ip", "link", "delete", bridge.name], check=False)


def _answers(environ: Mapping[str, str]) -> bool:
    asked = subprocess.run(["docker", "info"], env=dict(environ), capture_output=True, check=False)
    return asked.returncode == 0


def _import(
    image: str, environ: Mapping[str, str], *changes: str, without: tuple[str, ...] = ()
) -> None:
    path = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    words = [word for change in (path, *changes) for word in ("--change", change)]
    packed = ["tar", "-C", str(TREE), *(f"--exclude=./{each}" for each in without), "-c", "."]
    with subprocess.Popen(packed, stdout=subprocess.PIPE) as tree:
        subprocess.run(
            ["docker", "import", *words, "-", image],
            stdin=tree.stdout,
            env=dict(environ),
            stdout=subprocess.DEVNULL,
            check=True,
        )


def _for_builds() -> Iterator[str]:
    """Yield what lets pip reach what it reaches out here."""
    yield f"ENV SSL_CERT_FILE=/{CERTIFICATES} PIP_CERT=/{CERTIFICATES}"
    for name in ("PIP_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        value = os.environ.get(name) or os.environ.get(name.lower())
        if value:
            yield f"ENV {name}={value}"


def _must(command: list[str], failure: str, **environ: str) -> None:
    done = subprocess.run(
        command, env=os.environ | environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise CantRun(f"{failure}: {' '.join(last)}")
