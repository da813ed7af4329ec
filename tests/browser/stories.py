"""Stories that put a page to the test: what newsrooms send, and what they send on a bad day."""

from __future__ import annotations

from typing import Any

from tests.builders import corrected, pinned, posted, published, retracted, writethru

Events = list[dict[str, Any]]

_LONG = (
    "The lock keeper said that the upper gate had closed at the usual time and that the water "
    "behind it stood eleven centimetres above the mark when the second barge came in. "
)
_PORT = {"n": 1, "url": "https://example.org/port/notice/2026-03-01", "title": "Port notice 41"}
_TIDES = {"n": 8, "url": "https://example.org/tides/" + "0123456789" * 12}


def every_kind() -> Events:
    """One of everything that an article can show."""
    body = (
        "No ferry has left the harbour since six this morning[1], and none will before talks end."
        "\n\n## What is known\n\nThe crews walked out over rosters that were changed with two "
        "days' notice, their union said, and not over pay.\n\n- four ships\n- 212 sailings\n\n"
        "> We were told on Friday.\n\nShort.\n\n| Line | Sailings |\n|---|---|\n| North | 88 |"
    )
    return [
        published(
            "Ferry crews walk out", body, summary="Rosters, not pay, are what the crews refuse.",
            authors=["Ada Quay", "Ben Mole"], timezone="America/New_York",
        ),
        posted("u1", "Talks begin **at noon**, [the port says](https://example.org/)[8].",
               headline="Talks at noon", sources=[_PORT, _TIDES]),
        posted("u2", "Crews have voted.\n\n- 311 for\n- 12 against", key_event=True),
        posted("u3", "A fifth ship has joined."),
        posted("u4", _LONG * 24, authors=["Ada Quay"],
               images=[{"url": "https://example.org/q.png", "alt": "A quay", "credit": "Port"}]),
        posted("u5", "The port counts 40 lorries at its gate[1], three times as many as on any "
               "Sunday[8].", provenance="automated", sources=[_PORT, _TIDES]),
        posted("u6", "A first ferry is to sail at six, with a crew from the mainland[1].",
               headline="One ferry is to sail at six", key_event=True, provenance="wire",
               sources=[{"n": 1, "url": "https://example.org/agency/ferry"}]),
        pinned("u2"),
        corrected("u1", "Talks begin at two[1].", "An earlier version gave the wrong time."),
        retracted("u3", "There was no fifth ship."),
        writethru(note="New figures from the port."),
    ]  # fmt: skip


def bad_day() -> Events:
    """Long words, right-to-left text, emoji, and copy without a space to break at."""
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    return [
        published(f"{word}: {word} 🚢🚢🚢", f"{word} " * 12 + "\n\n" + "ab" * 400),
        posted("rtl", "הרכבת הקלה חוזרת לפעול, والقطار وصل (12:30). ⏰", headline="الميناء"),
        posted("emoji", "👩‍🚒👨‍👩‍👧‍👦🏳️‍🌈 " * 40),
        posted("code", "```\n" + "long_line_of_code(" * 30 + "\n```"),
        posted("table", "| " + " | ".join(word[:24] for _ in range(9)) + " |\n" + "|---" * 9 + "|"),
        posted("url", "https://example.org/" + "path/" * 80,
               sources=[{"n": 1, "url": "https://example.org/" + "a" * 400}]),
        corrected("emoji", "👍" * 80, f"{word} {word}"),
    ]  # fmt: skip


def right_to_left() -> Events:
    """An article in Hebrew, whose page runs the other way."""
    text = "הגשם פסק לפנות בוקר, והרכבת הקלה חוזרת לפעול בהדרגה לאורך קו החוף. "
    return [
        published("הרכבת הקלה חוזרת לפעול אחרי הגשם", f"{text * 3}\n\n## מה ידוע\n\n{text * 2}",
                  locale="he-IL", timezone="Asia/Jerusalem"),
        posted("u1", text, sources=[_PORT]),
        posted("u2", "הרציף יבש.", key_event=True),
        pinned("u2"),
        corrected("u1", text, "השעה תוקנה."),
    ]  # fmt: skip


def long_coverage(updates: int = 500) -> Events:
    """A coverage of many short updates."""
    texts = (
        f"Update number {n}: the queue is {n * 7 % 90} cars long." for n in range(1, updates + 1)
    )
    return [
        published("Bridge reopens, lane by lane", "One lane is open."),
        *(posted(f"u{n}", text) for n, text in enumerate(texts, start=1)),
    ]
