"""Answers that are made once and kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from services.deliver.kept import Kept


@dataclass(frozen=True)
class Answer:
    name: str
    size: int = 10


class Maker:
    """Makes answers when it is told to, and counts."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.made = 0
        self.go = asyncio.Event()
        self._answer = answer

    async def __call__(self) -> Answer:
        self.made += 1
        await self.go.wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_an_answer_is_made_once_for_all_who_ask_at_the_same_time():
    kept: Kept[Answer] = Kept(100, "pages")
    make = Maker(Answer("a"))
    asking = [asyncio.create_task(kept.get("a", make)) for _ in range(10)]
    await asyncio.sleep(0)

    make.go.set()
    answers = await asyncio.gather(*asking, kept.get("a", make))

    assert make.made == 1
    assert set(answers) == {Answer("a")}


async def test_one_who_goes_away_takes_no_answer_from_the_others():
    kept: Kept[Answer] = Kept(100, "pages")
    make = Maker(Answer("a"))
    first, second = (asyncio.create_task(kept.get("a", make)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.sleep(0)
    make.go.set()

    assert await second == Answer("a")


async def test_an_error_reaches_all_who_wait_and_is_not_kept():
    kept: Kept[Answer] = Kept(100, "pages")
    fails = Maker(RuntimeError("no"))
    asking = [asyncio.create_task(kept.get("a", fails)) for _ in range(2)]
    fails.go.set()
    for each in asking:
        with pytest.raises(RuntimeError):
            await each

    works = Maker(Answer("a"))
    works.go.set()

    assert await kept.get("a", works) == Answer("a")


async def test_what_was_used_longest_ago_goes_when_there_is_no_room():
    kept: Kept[Answer] = Kept(25, "pages")
    makers = {name: Maker(Answer(name)) for name in "abc"}
    for make in makers.values():
        make.go.set()
    for name in "abac":
        await kept.get(name, makers[name])

    for name in "ac":
        await kept.get(name, makers[name])
    assert kept.size == 20
    await kept.get("b", makers["b"])

    assert [make.made for make in makers.values()] == [1, 2, 1]


async def test_what_is_bigger_than_all_room_is_given_and_not_kept():
    kept: Kept[Answer] = Kept(25, "pages")
    make = Maker(Answer("whole", size=26))
    make.go.set()

    assert await kept.get("whole", make) == Answer("whole", size=26)
    assert kept.size == 0
