"""The internal ports that `up` gives its processes."""

from __future__ import annotations

import socket

import pytest

from services.cli.ports import Ports
from shared.runtime.internal import PORTS
from shared.runtime.settings import Listen


def test_with_a_setting_they_are_in_a_row_from_there_on() -> None:
    ports = Ports(Listen(host="127.0.0.1", port=9700))

    given = [ports.of(name).port for name in ("render", "render 2", "ingest", "deliver")]

    assert given == [9702, 9703, 9700, 9701]


@pytest.mark.parametrize("name", ["ingest", "render 2"])
def test_any_free_port_stays_any(name: str) -> None:
    assert Ports(Listen(host="127.0.0.1", port=0)).of(name).port == 0


def test_without_one_each_has_its_own_and_the_same_when_it_is_started_again() -> None:
    ports = Ports()

    first, second = ports.of("render"), ports.of("render 2")

    assert first != second
    assert first.port >= PORTS["render"]
    assert ports.of("render") == first
    assert ports.given == {"render": first, "render 2": second}


def test_one_that_somebody_took_meanwhile_is_left_to_them() -> None:
    ports = Ports()
    before = ports.of("deliver")

    with socket.create_server((before.host, before.port)):
        assert ports.of("deliver") != before
