"""The inputs that are kept, by target: `inputs/<target>.jsonl`, a JSON string a line.

A character is a byte (Latin-1), so that a line shows what is readable in it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

INPUTS = Path(__file__).with_name("inputs")
#: What libFuzzer takes for one word of its dictionary.
MAX_WORD = 60
_WORDS = re.compile(rb"[A-Za-z0-9_.:+/-]{2,}|[^A-Za-z0-9\s]{1,6}")


def kept(target: str) -> list[bytes]:
    """Return the inputs of *target*."""
    lines = (INPUTS / f"{target}.jsonl").read_text("ascii").splitlines()
    return [json.loads(line).encode("latin-1") for line in lines]


def line_of(data: bytes) -> str:
    """Return the line that keeps *data*."""
    return json.dumps(data.decode("latin-1"))


def words_in(inputs: list[bytes]) -> list[bytes]:
    """Return what the *inputs* are made of, for a fuzzer to put together anew."""
    found = {word for data in inputs for word in _WORDS.findall(data)}
    return sorted(word for word in found if len(word) <= MAX_WORD)
