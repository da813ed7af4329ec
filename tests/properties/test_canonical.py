"""The quick way to canonical JSON gives the bytes of the thorough one."""

from __future__ import annotations

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.canonical import canonical

NAMES = st.one_of(st.sampled_from(["a", "B", "é", "\U0001f600", "\ufb01", "", "a\n"]), st.text())
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.text(),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(NAMES, inner)),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(NAMES, VALUES))
def test_canonical_json_is_that_of_rfc_8785(value):
    assert canonical(value) == rfc8785.dumps(value)
