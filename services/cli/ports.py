"""The internal ports of a stack's processes: known, and the same after a restart."""

from __future__ import annotations

from collections.abc import Mapping

from shared.runtime.internal import PORTS, PORTS_TRIED, is_free
from shared.runtime.settings import Listen


class Ports:
    """Gives each process its internal port.

    With *first*, the setting, these are as many from there on: ingest's, deliver's, and those of
    the renderers. Without, each is what the process would take by itself; one that is started
    again has the same, unless somebody took it meanwhile.
    """

    def __init__(self, first: Listen | None = None) -> None:
        self._first = first
        self._given: dict[str, Listen] = {}

    @property
    def given(self) -> Mapping[str, Listen]:
        """Those that are given already, by the name of their process."""
        return self._given

    def of(self, name: str) -> Listen:
        """Return the port of the process *name*, as "ingest" or "render 2"."""
        before = self._given.get(name)
        self._given[name] = self._set(name) or self._kept(before) or self._free(name)
        return self._given[name]

    def _set(self, name: str) -> Listen | None:
        if self._first is None:
            return None
        if not self._first.port:
            return self._first
        service, _, number = name.partition(" ")
        place = {"ingest": 0, "deliver": 1}.get(service, 1 + int(number or 1))
        return Listen(host=self._first.host, port=self._first.port + place)

    def _kept(self, before: Listen | None) -> Listen | None:
        return before if before and is_free(before) else None

    def _free(self, name: str) -> Listen:
        """Return the first that nobody has; if all are taken, the process takes any."""
        begin = PORTS[name.partition(" ")[0]]  # type: ignore[index]
        for port in range(begin, begin + PORTS_TRIED):
            listen = Listen(host="127.0.0.1", port=port)
            if listen not in self._given.values() and is_free(listen):
                return listen
        return Listen(host="127.0.0.1", port=0)
