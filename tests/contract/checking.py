"""Rules with a name, and what came of each: a table, and an exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class SkippedError(Exception):
    """A rule can't be asked about here; says why."""


@dataclass(frozen=True)
class Result:
    """*said* is why a rule fails or was skipped; *held* is None where it was skipped."""

    rule: str
    held: bool | None
    said: str = ""


class Rules(Generic[T]):
    """The rules of one suite, each a function of what it is asked about."""

    def __init__(self) -> None:
        self._rules: list[tuple[str, Callable[[T], None]]] = []

    def __len__(self) -> int:
        return len(self._rules)

    def rule(self, name: str) -> Callable[[Callable[[T], None]], Callable[[T], None]]:
        """Add the decorated function under *name*, a sentence."""

        def add(function: Callable[[T], None]) -> Callable[[T], None]:
            self._rules.append((name, function))
            return function

        return add

    def ask(self, about: T) -> list[Result]:
        """Ask about each rule; one that fails doesn't keep the others from being asked."""
        return [_asked(name, function, about) for name, function in self._rules]


def _asked(name: str, function: Callable[[T], None], about: T) -> Result:
    try:
        function(about)
    except SkippedError as reason:
        return Result(name, None, str(reason))
    except Exception as error:  # noqa: BLE001 -- whatever a strange server makes of us
        said = " ".join(str(error).split()) or "the answer is not what it should be"
        return Result(name, False, f"{type(error).__name__}: {said}"[:160])
    return Result(name, True)


def need(holds: object, said: str) -> None:
    """Raise AssertionError with *said* unless *holds*."""
    if not holds:
        raise AssertionError(said)


def tell(results: Sequence[Result]) -> int:
    """Print the table and return the exit status."""
    words = {True: "pass", False: "FAIL", None: "skip"}
    for result in results:
        tail = f" ({result.said})" if result.said else ""
        sys.stdout.write(f"{words[result.held]}  {result.rule}{tail}\n")
    failed = sum(result.held is False for result in results)
    asked = sum(result.held is not None for result in results)
    sys.stdout.write(f"{asked - failed} of {asked} rules hold\n")
    return 1 if failed or not asked else 0
