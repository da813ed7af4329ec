"""The service against its own OpenAPI document: whatever is sent, the answers are as it says."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from services.ingest.manual.openapi import document
from shared.runtime.api_keys import create
from shared.runtime.redis import connect
from tests.nodes import pair
from tests.stack import free_ports
from tests.waiting import until_sync

EXAMPLES = 20
#: What an event may say and an article allow is more than a schema can tell; and a batch with an
#: event out of form is answered 207, with that event's problem in its receipt. Wrong keys, which
#: are sent to see that they are refused, are refused by 429 from the eleventh on.
BEYOND_A_SCHEMA = ["positive_data_acceptance", "negative_data_rejection", "ignored_auth"]
#: Those that ask for nothing can't be asked wrongly. `/readyz` is left out: without a renderer it
#: says, after a while and rightly, that nothing is.
OPERATIONS = [
    (path, method, mode)
    for path, methods in document()["paths"].items()
    if path != "/readyz"
    for method, operation in methods.items()
    for mode in GenerationMode
    if mode.is_positive or operation.keys() & {"parameters", "requestBody"}
]


async def _key(url: str) -> str:
    async with connect(url) as redis:
        return (await create(redis, "schemathesis", ("publish", "correct", "kill", "read")))[1]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Run ingest as a process on engines of its own; yield its address and a token.

    There is a replica, as without one some levels of durability are never reached: that is 503.

    What earlier modules left for the collector goes first. Hypothesis parses Python, and Python up
    to 3.11.8 fails at that ("AST constructor recursion depth mismatch") where the collector comes
    in the middle and something that it finds has a traceback shown, which parses Python, too.
    """
    gc.collect()
    (port,) = free_ports(1)
    base = f"http://127.0.0.1:{port}"
    with pair(tmp_path_factory.mktemp("openapi")) as engine:
        token = asyncio.run(_key(engine.url))
        environ = {
            "WRITETHRU_REDIS_URL": engine.url,
            "WRITETHRU_INGEST_LISTEN": f"127.0.0.1:{port}",
            "WRITETHRU_LOG_LEVEL": "error",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "services.ingest"], env=os.environ | environ
        )
        try:
            until_sync(lambda: _ready(base), 30)
            yield base, token
        finally:
            process.terminate()
            process.wait(20)


def _ready(base: str) -> bool:
    try:
        return httpx2.get(f"{base}/readyz", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_every_answer_is_as_the_document_says(
    service: tuple[str, str], path: str, method: str, mode: GenerationMode
) -> None:
    base, token = service
    schema = schemathesis.openapi.from_url(f"{base}/openapi.json")
    excluded = CHECKS.get_by_names(BEYOND_A_SCHEMA)

    @given(schema[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    def answers_as_documented(case: Any) -> None:
        bearer = {"Authorization": f"Bearer {token}"}
        case.call_and_validate(headers=bearer, excluded_checks=excluded)

    answers_as_documented()
