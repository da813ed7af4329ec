"""The internal ports of a stack's processes: taken once for all, and handed down at each start."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self, cast

from shared.runtime.internal_port import INHERITED, bound
from shared.runtime.settings import Listen

if TYPE_CHECKING:
    from shared.runtime.metric import Service


class Ports:
    """Takes a port for each process, and keeps it until closed, whatever becomes of the process.

    With *first*, the setting, these are as many from there on: ingest's, deliver's, and those of
    the renderers. Without, each is what the process would take by itself.
    """

    def __init__(self, first: Listen | None = None) -> None:
        self._first = first
        self._taken = ExitStack()
        self._sockets: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._taken.close()

    @property
    def given(self) -> Mapping[str, Listen]:
        """Those that are taken, by the name of their process."""
        return {name: _place(each) for name, each in self._sockets.items()}

    def of(self, name: str) -> Listen:
        """Take a port for the process *name*, as "ingest" or "render 2"; return what to tell it.

        Raises:
            SettingsError: somebody else has the one that is set.
        """
        service = cast("Service", name.partition(" ")[0])
        taken = self._taken.enter_context(bound(self._set(name), service))
        self._sockets[name] = taken
        return Listen(host=INHERITED, port=taken.fileno())

    def _set(self, name: str) -> Listen | None:
        if self._first is None or not self._first.port:
            return self._first
        service, _, number = name.partition(" ")
        place = {"ingest": 0, "deliver": 1}.get(service, 1 + int(number or 1))
        return Listen(host=self._first.host, port=self._first.port + place)


def _place(taken: socket.socket) -> Listen:
    host, port = taken.getsockname()[:2]
    return Listen(host=host, port=port)
