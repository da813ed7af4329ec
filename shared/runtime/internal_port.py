"""Where a process's internal port is: the one that is set, or a free one, or one handed down."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from shared.runtime.settings import Listen, SettingsError

if TYPE_CHECKING:
    from shared.runtime.metric import Service  # whoever only takes a port needs no metrics

#: Where a process listens if no setting says so: the first free port of ten from here on.
PORTS: Mapping[Service, int] = {"ingest": 9410, "deliver": 9420, "render": 9430}
PORTS_TRIED = 10
#: Instead of a host: the number is that of an open file, a socket that was bound for us.
INHERITED = "fd"


@contextmanager
def bound(listen: Listen | None, service: Service) -> Iterator[socket.socket]:
    """Take the internal port: the one that is set, else a free one for *service*.

    Raises:
        SettingsError: somebody else has the one that is set.
    """
    with _listener(listen) if listen else _free_listener(PORTS[service]) as listener:
        yield listener


def _listener(listen: Listen) -> socket.socket:
    try:
        if listen.host == INHERITED:
            return socket.socket(fileno=listen.port)
        return _open(listen)
    except OSError as error:
        raise SettingsError(
            f"WRITETHRU_METRICS_LISTEN: {listen.host}:{listen.port} can't be taken "
            f"({error.strerror}); end what listens there, or set another"
        ) from None


def _free_listener(first: int) -> socket.socket:
    for port in range(first, first + PORTS_TRIED):
        with suppress(OSError):
            return _open(Listen(host="127.0.0.1", port=port))
    return _open(Listen(host="127.0.0.1", port=0))


def _open(listen: Listen) -> socket.socket:
    """Bind and listen in one: two processes can bind the same port before either listens."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    return socket.create_server((listen.host, listen.port), family=family)
