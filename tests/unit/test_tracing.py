"""Traces: which one an event is in, and what spans say of the work done for it."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.contract.canonical import fingerprint
from shared.contract.events import parse_event
from shared.contract.tracing import Trace, read_trace, trace_of, traces_in, within
from shared.runtime import traces
from shared.runtime.traces import configure, record_with, traced
from tests.builders import posted

OWN = f"00-{'a' * 32}-{'1' * 16}-01"
HEADER = f"00-{'b' * 32}-{'2' * 16}-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    record_with(provider)
    yield exporter
    record_with(None)


@pytest.mark.parametrize(
    "parent",
    [
        None,
        7,
        "",
        OWN.upper(),
        OWN + "0",
        "ff" + OWN[2:],
        f"00-{'0' * 32}-{'1' * 16}-01",
        f"00-{'a' * 32}-{'0' * 16}-01",
        OWN + "\n",
    ],
)
def test_what_is_not_in_w3cs_form_names_no_trace(parent: object) -> None:
    assert read_trace(parent) is None


def test_a_trace_state_that_nobody_must_pass_on_is_dropped_and_the_trace_stays() -> None:
    assert read_trace(OWN, "vendor=1") == Trace(OWN, "vendor=1")
    for state in ("x" * 513, "é", "a\nb", "", 7):
        assert read_trace(OWN, state) == Trace(OWN)


def test_an_event_without_a_trace_of_its_own_is_in_that_of_its_request() -> None:
    event = parse_event(posted("u1") | {"tracestate": "stray=1"})

    there = within(event, Trace(HEADER, "vendor=1"))

    assert trace_of(there.envelope) == Trace(HEADER, "vendor=1")
    assert within(event, None) is event


@pytest.mark.parametrize("own", [OWN, "not in form"])
def test_an_events_own_trace_goes_before_that_of_its_request(own: str) -> None:
    event = parse_event(posted("u1") | {"traceparent": own})

    assert within(event, Trace(HEADER)) is event


def test_a_trace_does_not_count_in_the_fingerprint() -> None:
    event = parse_event(posted("u1"))
    traced_event = within(event, Trace(HEADER, "vendor=1"))

    assert fingerprint(b"key", traced_event.envelope) == fingerprint(b"key", event.envelope)


def test_the_traces_of_a_ledger_are_found_in_their_order() -> None:
    events = [posted("u1"), posted("u2", 'It said "traceparent".'), *(
        posted("u3") | {"traceparent": parent} for parent in (OWN, "no", HEADER)
    )]  # fmt: skip

    assert traces_in(orjson.dumps({"event": event}) for event in events) == [
        Trace(OWN),
        Trace(HEADER),
    ]


def test_without_anybody_who_records_the_last_trace_is_handed_on_and_bound_to_the_log() -> None:
    with traced("article render", [Trace(OWN), Trace(HEADER)]) as trace:
        assert trace == Trace(HEADER)
        assert structlog.contextvars.get_contextvars()["trace"] == "b" * 32
    assert "trace" not in structlog.contextvars.get_contextvars()
    with traced("article render", []) as trace:
        assert trace is None


def test_a_span_is_in_the_last_trace_and_linked_to_the_others(spans) -> None:
    with traced("article render", [Trace(OWN), Trace(OWN), Trace(HEADER, "v=1")], version=8) as to:
        pass

    (span,) = spans.get_finished_spans()
    assert span.name == "article render"
    assert span.attributes == {"writethru.version": 8}
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "2" * 16
    assert [f"{link.context.trace_id:032x}" for link in span.links] == ["a" * 32]
    assert to is not None
    assert to == Trace(f"00-{'b' * 32}-{span.context.span_id:016x}-01", "v=1")


def test_a_span_without_a_trace_begins_one(spans) -> None:
    with traced("events append", []) as trace:
        pass

    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert trace is not None
    assert trace.trace_id == f"{span.context.trace_id:032x}"


def test_of_an_error_a_span_has_the_kind_and_not_a_word(spans) -> None:
    with pytest.raises(ValueError, match="Minister"), traced("article render", [Trace(OWN)]):
        raise ValueError("Minister resigns")

    (span,) = spans.get_finished_spans()
    assert span.status.description == "ValueError"
    assert "Minister" not in span.to_json()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_SERVICE_NAME": "x"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_recorded_unless_the_environment_says_where_to(environ) -> None:
    configure("ingest", environ)

    assert traces._tracer is None


def test_asked_for_without_the_libraries_it_says_what_to_install_and_goes_on(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.resources", None)

    with structlog.testing.capture_logs() as logged:
        configure("ingest", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})

    assert traces._tracer is None
    (line,) = logged
    assert line["event"] == "traces.unavailable"
    assert "install the extra traces" in line["remedy"]
