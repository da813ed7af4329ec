"""The updates that the benchmarks file: about as long as newsrooms' are."""

from __future__ import annotations

#: Paragraphs, quotations, a citation: what most updates are.
PROSE = (
    "The harbour authority has closed the outer basin to all but pilot boats after a survey found "
    "that the eastern pier has moved by eleven centimetres since Monday [8].\n\n"
    "“We don’t expect ferries before Thursday,” the harbour master said, and asked passengers to "
    "call before they set out. Buses run every 20 minutes from the railway station; tickets for "
    "the crossing are valid on them.\n\n"
    "Engineers will look at the foundations at low water, shortly before noon. If they find "
    "nothing new, the first of three berths may open in the evening, for vessels of up to "
    "40 metres, and the night service to the islands would then leave at half past ten."
)
#: The same with links and emphasis in each paragraph.
MARKED = (
    PROSE.replace("a survey", "[a survey](https://example.org/harbour/survey)")
    .replace("every 20 minutes", "every *20 minutes*")
    .replace("low water", "[low water](https://example.org/tides)")
)
