"""What the document says readers cost follows from the sizes that it names."""

from __future__ import annotations

import re

from benchmarks.cost import Sizes, polling, streams, table, waiting
from benchmarks.document import DOCUMENT
from services.deliver.streams import Limits

SIZES = Sizes(
    page=5_000, page_known=700, stream=600, frame=1_200, heartbeat=13, change=1_400, nothing=600
)


def test_the_documents_table_follows_from_its_sizes():
    section = DOCUMENT.read_text("utf-8").partition("<!-- generated: cost -->\n")[2]
    section = section.partition("\n\nMeasured with")[0]
    sizes = re.findall(r"^\| [^|]+ \| ([\d,]+) \|$", section, re.MULTILINE)

    of = Sizes(*(int(size.replace(",", "")) for size in sizes))

    assert section == "\n".join(table(of))


def test_through_caches_the_origin_hears_of_no_more_readers_than_there_are_caches():
    few, many, most = (polling(readers, SIZES) for readers in (100, 100_000, 1_000_000))

    assert few.requests == few.cached_requests
    assert many.requests == most.requests
    assert most.cached_requests == 10 * many.cached_requests


def test_streams_and_long_polling_cost_the_origin_for_each_reader():
    for cost in (lambda readers: streams(readers, SIZES, Limits()), lambda n: waiting(n, SIZES)):
        one, ten = cost(1_000), cost(10_000)

        assert round(ten.requests) == round(10 * one.requests)
        assert round(ten.sent) == round(10 * one.sent)
        assert not ten.cached_requests
