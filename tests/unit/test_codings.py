"""Which content coding a reader gets, and that it is the same bytes."""

from __future__ import annotations

import gzip
import sys

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deliver.core.codings import CODINGS, by_accept_encoding, coded

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DECODERS = {"br": brotli.decompress, "zstd": zstd.decompress, "gzip": gzip.decompress}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate, zstd", "zstd"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5, BR;Q=0.4", "gzip"),
        ("br;q=0.5, zstd;q=0.5, gzip;q=0.5", "br"),
        ("gzip;q=1.0, *;q=0", "gzip"),
        ("deflate, gzip ;q=0.001", "gzip"),
        ("*", "br"),
        ("br;q=0, *", "zstd"),
        ("identity;q=0.5, gzip;q=0.6", "gzip"),
        ("identity;q=0, gzip", "gzip"),
        ("identity;q=0, *;q=0.1", "br"),
        # and without any
        ("", None),
        ("identity", None),
        ("deflate, compress", None),
        ("gzip;q=0", None),
        ("br;q=0.000, gzip; q=0", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.6", None),
        ("*;q=0", None),
        ("identity;q=0", None),
        ("gzip;q=2", None),
        ("gzip;q=x, br;q=-1", None),
    ],
)
def test_a_reader_gets_the_coding_it_prefers_and_of_those_it_likes_alike_the_smallest(
    header, expected
):
    assert by_accept_encoding(header) == expected


@given(st.text())
def test_no_accept_encoding_is_too_odd(header):
    assert by_accept_encoding(header) in {*CODINGS, None}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("for_good", [False, True])
@pytest.mark.parametrize("data", [b"", b"ferry", "🔄 Überfahrt\n".encode() * 500])
def test_what_was_coded_is_the_same_bytes_again(coding, for_good, data):
    made = coded(data, coding, for_good=for_good)

    assert DECODERS[coding](made) == data
    assert coded(data, coding, for_good=for_good) == made
