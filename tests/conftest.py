"""What all tests share: a real engine, a clean client, and what to do without Chromium."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest
import structlog
from redis.asyncio import Redis

from shared.runtime import log
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.silence import check_started

#: What the environment can't bring along, by the marker of the tests that need it.
NEEDS = {
    "browser": ("chromium", "chromedriver"),
    "curl": ("curl",),
    "nginx": ("nginx",),
    "prometheus": ("prometheus", "promtool"),
    "varnish": ("varnishd",),
}

# Whoever runs the tests without the wrapper, too, has the code compiled once, not in each process.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

IN_CI = os.environ.get("CI") == "true"

# A busy machine is no failure, and a run in CI must be repeatable.
hypothesis.settings.register_profile("writethru", deadline=None, derandomize=IN_CI)
hypothesis.settings.load_profile("writethru")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run the whole suite side by side, and what was asked for by name at once and as it stands.

    One process more than there are cores: most tests wait for other processes.
    """
    chosen = config.args_source is config.ArgsSource.ARGS or config.getoption("keyword")
    return 0 if chosen else (os.cpu_count() or 1) + 1


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, programs in NEEDS.items():
        missing = [name for name in programs if not shutil.which(name)]
        if missing and item.get_closest_marker(marker):
            reason = f"needs {' and '.join(missing)} on PATH"
            if IN_CI:
                pytest.fail(f"{reason}, and with CI=true nothing is skipped", pytrace=False)
            pytest.skip(reason)


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """See that no service that a test started has logged copy or secrets."""
    yield
    check_started()


@pytest.fixture(autouse=True)
def loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a command that a test runs in its own process configure logs for that test alone.

    A logger that was made for good would go on writing to what pytest has closed since.
    """
    before, configure = structlog.get_config(), log.configure

    def for_now(service: str, level: str) -> None:
        configure(service, level)
        structlog.configure(cache_logger_on_first_use=False)

    monkeypatch.setattr(log, "configure", for_now)
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture
async def redis(engine: Engine) -> AsyncIterator[Redis]:
    client = connect(engine.url)
    await client.flushall()
    yield client
    await client.aclose()
