"""The trace that an event belongs to: W3C's `traceparent` and `tracestate`, as extensions. Pure.

They travel with the event, whether or not anybody records spans, and don't count in its
fingerprint. An event's own trace goes before that of the request it came in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import orjson

from shared.contract.events import Event

_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
#: What W3C asks everybody to pass on.
_STATE = re.compile(r"[\x20-\x7e]{1,512}")


@dataclass(frozen=True, slots=True)
class Trace:
    """A place in a trace: *parent* is a `traceparent`, *state* a `tracestate` or empty."""

    parent: str
    state: str = ""

    @property
    def trace_id(self) -> str:
        """The 32 digits by which everybody knows the trace."""
        return self.parent[3:35]

    @property
    def extensions(self) -> Mapping[str, str]:
        """It as attributes of an event."""
        state = {"tracestate": self.state} if self.state else {}
        return {"traceparent": self.parent, **state}


def read_trace(parent: object, state: object = None) -> Trace | None:
    """Return the trace that is named so; None where it is not in W3C's form."""
    if not isinstance(parent, str) or not _PARENT.fullmatch(parent):
        return None
    known = isinstance(state, str) and _STATE.fullmatch(state)
    return Trace(parent, str(state) if known else "")


def trace_of(envelope: Mapping[str, object]) -> Trace | None:
    """Return the trace that an event says it belongs to."""
    return read_trace(envelope.get("traceparent"), envelope.get("tracestate"))


def within(event: Event, trace: Trace | None) -> Event:
    """Return *event* as part of *trace*, unless it names one itself, in whatever form."""
    if trace is None or "traceparent" in event.envelope:
        return event
    without = {name: value for name, value in event.envelope.items() if name != "tracestate"}
    return replace(event, envelope={**without, **trace.extensions})


def traces_in(records: Iterable[bytes]) -> list[Trace]:
    """Return the traces of a ledger's *records*, in order; most have none, and cost nothing."""
    events = (orjson.loads(record)["event"] for record in records if b'"traceparent"' in record)
    return [trace for event in events if (trace := trace_of(event))]
