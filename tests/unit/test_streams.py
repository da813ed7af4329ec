"""Readers who are connected: how many there may be, and when their lines end."""

from __future__ import annotations

import asyncio

import pytest

from services.deliver.streams import Limits, Streams, crowd_of
from shared.contract.errors import Busy, TooOften
from shared.runtime.problems import problem, seconds_after
from tests.waiting import until

HOME, OTHER = "93.184.216.34", "93.184.216.35"


class Counting:
    """A reader that counts what is done with it."""

    def __init__(self) -> None:
        self.beats = 0
        self.ends = 0

    def write(self, frame: bytes) -> bool:
        raise AssertionError("nobody tells it anything")

    def beat(self) -> None:
        self.beats += 1

    def end(self) -> None:
        self.ends += 1


def test_no_more_streams_are_opened_than_the_limit():
    streams = Streams(Limits(readers=1))
    with streams.opened(Counting(), HOME):
        with pytest.raises(Busy) as refused, streams.opened(Counting(), OTHER):
            pass
        assert problem(refused.value)["status"] == 503
        assert 5 <= (seconds_after(refused.value) or 0) <= 15

    with streams.opened(Counting(), HOME):
        pass


def test_one_address_may_not_have_the_room_of_all():
    streams = Streams(Limits(an_address=2))
    with streams.opened(Counting(), HOME), streams.opened(Counting(), HOME):
        with pytest.raises(TooOften) as refused, streams.opened(Counting(), HOME):
            pass
        assert problem(refused.value)["status"] == 429
        assert 5 <= (seconds_after(refused.value) or 0) <= 15
        assert len(streams) == 2
        with streams.opened(Counting(), OTHER):
            pass

    with streams.opened(Counting(), HOME):
        pass


@pytest.mark.parametrize("host", ["10.1.2.3", "127.0.0.1", "172.30.7.2", "fd00::1", None, "unix"])
def test_readers_behind_a_proxy_of_ours_are_not_taken_for_one(host):
    assert crowd_of(host) == ""


def test_a_network_of_ipv6_counts_as_one_address():
    assert crowd_of("2606:2800:220:1::7") == crowd_of("2606:2800:220:1:aaaa::1")
    assert crowd_of("2606:2800:220:1::7") != crowd_of("2606:2800:220:2::7")
    assert crowd_of(f"::ffff:{HOME}") == crowd_of(HOME) == HOME


def test_closing_ends_all_streams_and_opens_no_more():
    streams, reader = Streams(Limits()), Counting()
    with streams.opened(reader, HOME):
        streams.close()
        assert reader.ends == 1

    with pytest.raises(Busy), streams.opened(Counting(), HOME):
        pass


async def test_one_timer_keeps_streams_awake_and_ends_the_old_until_they_are_gone():
    streams, reader = Streams(Limits(heartbeat=0.01, life=0.1)), Counting()
    keeping = asyncio.create_task(streams.keep())
    with streams.opened(reader, HOME):
        await until(lambda: reader.ends >= 2)
    keeping.cancel()

    assert reader.beats > 0


async def test_the_ends_of_streams_that_began_together_are_spread():
    streams, readers = Streams(Limits(heartbeat=0.005, life=0.5)), [Counting() for _ in range(50)]
    for reader in readers:
        streams.enter(reader, HOME)
    keeping = asyncio.create_task(streams.keep())

    await until(lambda: any(reader.ends for reader in readers))
    assert not all(reader.ends for reader in readers)

    await until(lambda: all(reader.ends for reader in readers))
    keeping.cancel()
