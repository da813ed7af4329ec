"""What reads and writes JSON quickly does it to the letter as what does it by the book."""

from __future__ import annotations

import json

import orjson
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.core import bodies
from shared.contract.canonical import canonical
from shared.contract.errors import Refused

names = st.text() | st.sampled_from(["a", "b", "\ue000", "😀", "é", "\x7f"])
scalars = (
    st.none() | st.booleans() | st.text() | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
values = st.recursive(
    scalars, lambda each: st.lists(each) | st.dictionaries(names, each), max_leaves=20
)
objects = st.dictionaries(names, values)


@given(objects)
@example({"\ue000": 1, "😀": 2})
@example({"a": 1e16, "b": 1.0, "c": {"d": [True, None, "\x1f\x7f\u2028"]}})
def test_canonical_json_is_that_of_the_standard(value):
    assert canonical(value) == rfc8785.dumps(value)


def by_the_book(text: bytes) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies, "_compact", lambda _: None)
        return read(text)


def read(text: bytes) -> object:
    try:
        return bodies.decode(text)
    except Refused as refusal:
        return refusal.code, refusal.detail


texts = (
    values.map(lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False))
    | values.map(json.dumps)
    | st.lists(
        st.sampled_from(
            ['{"a":', '"b"', "}", "[", "]", ",", ":", "1", "1.0", "-0", "1e400", "NaN", '"\\ud800"',
             "18446744073709551616", '{"a":1,"a":1}', "null", " ", "\ufeff", "true", '"\\u0041"']
        ),
        max_size=6,
    ).map("".join)
)  # fmt: skip


@given(texts)
@example('{"a":1,"a":1}')
@example("[" * 33 + "]" * 33)
@example("[" * 1_000 + "]" * 1_000)
@example("18446744073709551616")
@example('{"a":{"b":1,"b":2}}')
def test_what_is_read_quickly_is_read_as_by_the_book(text):
    sent = text.encode("utf-8", "surrogatepass")

    found, expected = read(sent), by_the_book(sent)

    assert repr(found) == repr(expected)


def test_what_programs_write_is_read_quickly():
    assert bodies._compact(orjson.dumps({"a": ["é", 1, None]})) == {"a": ["é", 1, None]}
