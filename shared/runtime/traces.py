"""Spans by OpenTelemetry, where `OTEL_…` in the environment asks for them; else next to nothing.

What an event's trace is doesn't depend on it: that is handed on all the same, and bound to the log.
A span holds names and numbers, never copy, and of an error no more than its kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

from shared.contract.tracing import Trace, read_trace
from shared.runtime.metric import Service

#: One of these says where spans go; without any, nothing of OpenTelemetry is imported.
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
#: What a span may be linked to at most.
MAX_LINKS = 128

_log = structlog.get_logger()
_tracer: Any = None


def configure(service: Service, environ: Mapping[str, str]) -> None:
    """Send spans, by OTLP over HTTP, if *environ* names where to."""
    if not _asked(environ):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("traces.unavailable", remedy="install the extra traces, or unset OTEL_…")
        return
    named = {} if environ.get("OTEL_SERVICE_NAME") else {"service.name": f"writethru-{service}"}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    record_with(provider)


def record_with(provider: Any) -> None:
    """Make spans by *provider* from now on; None: make none."""
    global _tracer  # noqa: PLW0603 -- there is one a process
    _tracer = provider and provider.get_tracer("writethru")


@contextmanager
def traced(name: str, traces: Sequence[Trace], **facts: str | int) -> Iterator[Trace | None]:
    """Do a piece of work for *traces*; yield the trace that what comes of it belongs to.

    It is the last of them, which the span is in; the span is linked to the others. What is done
    for a trace has a line in the log, so that an event can be followed without a collector.
    """
    last = traces[-1] if traces else None
    if _tracer is None and last is None:
        yield None
        return
    with structlog.contextvars.bound_contextvars(**({"trace": last.trace_id} if last else {})):
        if _tracer is None:
            yield last
        else:
            with _span(name, traces, facts) as trace:
                yield trace
        if last:
            others = {trace.trace_id for trace in traces} - {last.trace_id}
            _log.info("trace.followed", step=name, **facts, others=sorted(others)[:MAX_LINKS])


@contextmanager
def _span(name: str, traces: Sequence[Trace], facts: Mapping[str, str | int]) -> Iterator[Trace]:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Status, StatusCode, get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    w3c = TraceContextTextMapPropagator()
    others = dict.fromkeys(trace for trace in traces if trace != traces[-1])
    links = [w3c.extract(trace.extensions, Context()) for trace in list(others)[-MAX_LINKS:]]
    with _tracer.start_as_current_span(
        name,
        context=w3c.extract(traces[-1].extensions, Context()) if traces else Context(),
        links=[Link(get_current_span(context).get_span_context()) for context in links],
        attributes={f"writethru.{fact}": value for fact, value in facts.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        carrier: dict[str, str] = {}
        w3c.inject(carrier)
        try:
            yield read_trace(carrier["traceparent"], carrier.get("tracestate")) or traces[-1]
        except Exception as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def _asked(environ: Mapping[str, str]) -> bool:
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    none = environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp"
    return not off and not none and any(environ.get(name) for name in _ENDPOINTS)
