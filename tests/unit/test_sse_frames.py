"""Server-sent events as bytes."""

from __future__ import annotations

import pytest

from services.deliver.core import frames


def test_an_event_is_id_kind_and_one_line_of_data():
    frame = frames.event("change", '{"note":"café"}'.encode(), "8.9f86d081884c")

    assert (
        frames.bare(frame)
        == 'id: 8.9f86d081884c\nevent: change\ndata: {"note":"café"}\n\n'.encode()
    )


def test_an_event_without_an_id_leaves_the_reader_where_it_is():
    assert frames.bare(frames.event("reset", b"{}")) == b"event: reset\ndata: {}\n\n"


@pytest.mark.parametrize("data", [b"{\n}", b"{\r}", b"a\r\nb"])
def test_data_that_would_end_its_event_early_is_refused(data):
    with pytest.raises(ValueError, match="one line"):
        frames.event("change", data)


@pytest.mark.parametrize("identifier", ["8\n", "8\r", "8\0"])
def test_an_id_that_would_end_its_line_early_is_refused(identifier):
    with pytest.raises(ValueError, match="one line"):
        frames.event("change", b"{}", identifier)


def test_a_place_is_no_event_and_names_where_to_go_on():
    assert frames.bare(frames.place("8.9f86d081884c")) == b"id: 8.9f86d081884c\n\n"


@pytest.mark.parametrize("data", [b"a", b"a" * 300, b"line\r\n" * 40])
def test_a_chunk_says_its_length_and_holds_what_was_put_in(data):
    chunk = frames.chunk(data)

    size, _, rest = chunk.partition(b"\r\n")
    assert int(size, 16) == len(data)
    assert rest == data + b"\r\n"
    assert frames.bare(chunk) == data


def test_a_heartbeat_is_a_comment_and_no_event():
    assert frames.bare(frames.HEARTBEAT) == b":\n\n"


def test_the_time_to_wait_is_told_in_milliseconds():
    assert frames.bare(frames.retry(2_500)) == b"retry: 2500\n\n"
