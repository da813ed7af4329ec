"""Every error this project raises on purpose, and the codes that publishers branch on.

WritethruError
├── Refused              the sender must change something; trying again changes nothing
│   └── InvalidEvent     the event's form: one entry a field
└── TryAgain             nobody is at fault; the same request may succeed later
    ├── Busy             nothing was stored
    │   └── TooOften     this sender has to wait
    └── OutcomeUnknown   it may be stored: the same id sent again is safe

HTTP is not mentioned here: `shared.runtime.problems` gives each code its status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class WritethruError(Exception):
    """What all errors below share: a *code* of the contract and a sentence for people."""

    code: str

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Refused(WritethruError):
    """The event or request breaks a rule; *code* says which."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong. *pointer* is a JSON pointer into the event."""

    pointer: str
    detail: str


class InvalidEvent(Refused):
    """The event is JSON, but not one of the contract's events."""

    def __init__(self, errors: Sequence[FieldError], detail: str | None = None) -> None:
        fields = ", ".join(error.pointer or "the event" for error in errors[:3])
        form = f"The event's form is wrong at {fields}; see errors."
        super().__init__("invalid", detail or form)
        self.errors = tuple(errors)


class TryAgain(WritethruError):
    """Nothing is wrong with the request."""


class Busy(TryAgain):
    """Nothing can be taken at the moment, and nothing was stored; *after*: seconds to wait."""

    code = "busy"

    def __init__(self, detail: str, after: int | None = None) -> None:
        super().__init__(detail)
        self.after = after


class TooOften(Busy):
    """This sender has to wait *after* seconds; others don't."""

    after: int

    def __init__(self, detail: str, after: int) -> None:
        super().__init__(detail, after)


class OutcomeUnknown(TryAgain):
    """The engine did not answer in time; the event may be stored."""

    code = "durability-timeout"
