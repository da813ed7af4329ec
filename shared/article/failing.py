"""What may be said of an error that copy has brought about: nothing that the copy says."""

from __future__ import annotations


def reason(error: Exception) -> str:
    """Name *error* and the function that raised it, without its words: they could be copy."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return type(error).__name__ + (f" in {trace.tb_frame.f_code.co_name}" if trace else "")
