"""What no log may say: the copy that the builders file, keys, and the engine's passwords.

Every stack and every service that any test starts is held to it, when the test ends.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from tests import builders
from tests.stack import STARTED

#: What these print is for services to say; other commands may show a page, or a new key.
SERVICES = ("up", "ingest", "render", "deliver")
_SECRETS = {
    "the secret of a key": re.compile(r"wt_[0-9a-f]+_[A-Za-z0-9_-]{20,}"),
    "a password of the engine": re.compile(r"rediss?(?:\+\w+)?://[^/@\s:]*:[^/@\s]+@"),
}


def copy() -> set[str]:
    """Return the sentences that the builders file where a test says nothing else."""
    made = [each for _, each in inspect.getmembers(builders, inspect.isfunction)]
    defaults = (each.default for of in made for each in inspect.signature(of).parameters.values())
    return {each for each in defaults if isinstance(each, str) and " " in each}


def broken(said: str) -> Iterator[str]:
    """Yield what of *said* nobody should have, without repeating it."""
    for sentence in sorted(copy()):
        if sentence in said:
            yield f"the copy {sentence!r}"
    for name, form in _SECRETS.items():
        if form.search(said):
            yield name


def check_started() -> None:
    """Look through what services have said that were started; forget those that have ended."""
    found = {}
    for command in list(STARTED):
        if command.words[0] in SERVICES and (wrong := list(broken(command.said()))):
            found[" ".join(command.words)] = wrong
        if command.process.poll() is not None:
            STARTED.remove(command)
    assert not found, f"in the log of a service: {found}"
