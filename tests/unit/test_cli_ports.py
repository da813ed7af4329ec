"""The internal ports that `up` takes for its processes."""

from __future__ import annotations

import socket

import pytest

from services.cli.ports import Ports
from shared.runtime.internal_port import INHERITED, bound
from shared.runtime.settings import Listen, SettingsError
from tests.stack import free_range


def test_with_a_setting_they_are_in_a_row_from_there_on() -> None:
    first = free_range(4)

    with Ports(Listen(host="127.0.0.1", port=first)) as ports:
        for name in ("render", "render 2", "ingest", "deliver"):
            ports.of(name)
        given = {name: listen.port - first for name, listen in ports.given.items()}

    assert given == {"ingest": 0, "deliver": 1, "render": 2, "render 2": 3}


@pytest.mark.parametrize("first", [None, Listen(host="127.0.0.1", port=0)])
def test_else_each_has_one_of_its_own_that_nobody_else_can_take(first: Listen | None) -> None:
    with Ports(first) as ports:
        ports.of("render")
        ports.of("render 2")

        one, other = ports.given.values()
        assert one.port
        assert one.port != other.port
        with pytest.raises(OSError, match="in use"):
            socket.create_server((one.host, one.port))


def test_a_process_is_told_of_an_open_socket_and_serves_on_it() -> None:
    with Ports() as ports:
        told = ports.of("deliver")
        with bound(told, "deliver") as inherited:
            assert told.host == INHERITED
            assert inherited.getsockname()[1] == ports.given["deliver"].port
            inherited.detach()  # it is the same open file here


def test_one_that_is_set_and_taken_is_a_wrong_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            Ports(Listen(host="127.0.0.1", port=port)) as ports,
            pytest.raises(SettingsError, match="WRITETHRU_METRICS_LISTEN"),
        ):
            ports.of("ingest")


def test_a_number_that_is_no_open_socket_is_a_wrong_setting() -> None:
    with (
        pytest.raises(SettingsError, match="WRITETHRU_METRICS_LISTEN: fd:9999"),
        bound(Listen(host=INHERITED, port=9999), "render"),
    ):
        pass
