"""One event followed by its trace: from the publisher's request to what a subscriber hears."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.builders import SLUG, posted, published
from tests.integration.frontdesk import frontdesk
from tests.stack import running
from tests.waiting import until_sync

TRACE, OTHER = "a" * 32, "b" * 32
PARENT, ELSE = f"00-{TRACE}-{'1' * 16}-01", f"00-{OTHER}-{'2' * 16}-01"
WORD = "canary-in-the-copy"


class Collector:
    """Takes spans by OTLP over HTTP."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.bodies: list[bytes] = []

    def spans(self, trace: str) -> set[tuple[str, str]]:
        """Return the service and the name of each span of *trace*."""
        found = set()
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                facts = {each.key: each.value.string_value for each in resource.resource.attributes}
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        if span.trace_id.hex() == trace:
                            found.add((facts["service.name"], span.name))
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            packed = self.headers.get("content-encoding") == "gzip"
            collector.bodies.append(gzip.decompress(body) if packed else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def test_one_trace_leads_from_the_publishers_request_to_the_change_that_is_told(
    tmp_path: Path,
) -> None:
    with collecting() as collector:
        wanted = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        wanted |= {"WRITETHRU_LOG_LEVEL": "info", "WRITETHRU_METRICS_LISTEN": "127.0.0.1:0"}
        with running(tmp_path, **wanted) as stack:
            stack.file([published()])
            stack.page(SLUG, 1)
            with httpx2.stream("GET", f"{stack.deliver}/live", trust_env=False) as live:
                lines = live.iter_lines()
                next(lines)

                # When an update is filed in a trace
                httpx2.post(
                    f"{stack.ingest}/v1/events",
                    content=orjson.dumps(posted("u1", WORD)),
                    headers={"content-type": "application/cloudevents+json", "traceparent": PARENT},
                    trust_env=False,
                )

                # Then who listens is told of it in that trace
                data = next(line for line in lines if line.startswith("data: {"))
                told = orjson.loads(data.removeprefix("data: "))
            assert told["to"] == 2
            assert told["traceparent"][3:35] == TRACE
            assert told["traceparent"] != PARENT
            # And all that was done for it is there
            until_sync(
                lambda: (
                    collector.spans(TRACE)
                    == {
                        ("writethru-ingest", "events append"),
                        ("writethru-render", "article render"),
                        ("writethru-deliver", "change deliver"),
                    }
                ),
                30,
            )
            said = stack.said()
    assert not any(WORD.encode() in body for body in collector.bodies)
    logged = [orjson.loads(line) for line in said.splitlines() if line.startswith("{")]
    steps = [line for line in logged if line["event"] == "trace.followed"]
    assert {(line["service"], line["step"]) for line in steps if line["trace"] == TRACE} == {
        ("ingest", "events append"),
        ("render", "article render"),
        ("deliver", "change deliver"),
    }


@pytest.mark.parametrize("batch", [False, True])
async def test_the_header_is_for_the_events_without_a_trace_and_a_duplicate_changes_nothing(
    redis: Any, engine: Any, batch: bool
) -> None:
    async with frontdesk(redis, engine.url, no_auth=True) as desk:
        await desk.file(published())
        events = [posted("u1"), posted("u2") | {"traceparent": ELSE}]
        pieces = [events] if batch else [[event] for event in events]

        async def file(parent: str) -> list[str]:
            lines = [b"\n".join(map(orjson.dumps, piece)) for piece in pieces]
            sent = [
                await desk.post(body, "application/x-ndjson", traceparent=parent, tracestate="v=1")
                for body in lines
            ]
            return [each["status"] for one in sent for each in one.json()["receipts"]]

        first, again = await file(PARENT), await file(ELSE)
        ledger = (await desk.events(SLUG, after=1)).text.splitlines()

    assert (first, again) == (["accepted"] * 2, ["duplicate"] * 2)
    kept = [orjson.loads(line) for line in ledger]
    assert [event.get("traceparent") for event in kept] == [PARENT, ELSE]
    assert [event.get("tracestate") for event in kept] == ["v=1", None]


def test_a_collector_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    nobody = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    nobody["WRITETHRU_METRICS_LISTEN"] = "127.0.0.1:0"
    with running(tmp_path, **nobody) as stack:
        stack.file([published() | {"traceparent": PARENT}])

        assert stack.page(SLUG, 1)["version"] == 1
