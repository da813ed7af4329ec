"""How a process starts quickly: whoever is started by `python -m services.…` imports this first.

Libraries of ours import others where they happen to be installed, though nothing here uses those:
they are left out, as if they weren't there. And while imports go on, which make much and drop
little, the collector of cycles is off; `settled` says that it may begin.

Another program, a test's for instance, that imports a service's code is left as it is.
"""

from __future__ import annotations

import gc
import os
import sys

#: By whom: structlog, for colours in tracebacks; httpcore2, for its other event loop; redis-py;
#: rich, to print what we never print.
_UNUSED = ("rich", "trio", "opentelemetry.sdk", "attr")


def _program() -> str:
    """Return the name of the module that was started, or nothing."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec else ""


def _left_out(program: str) -> set[str]:
    """Return what *program* goes without: a command may draw, and who asks for spans gets them."""
    kept = {"rich"} if program.startswith("services.cli.") else set()
    if any(name.startswith("OTEL_") for name in os.environ):
        kept.add("opentelemetry.sdk")
    return set(_UNUSED) - kept


def settled() -> None:
    """Let the collector look at what is made from now on; what there is stays anyhow."""
    gc.freeze()
    gc.enable()


_NAME = _program()
if _NAME.startswith("services."):
    gc.disable()
    for _unused in _left_out(_NAME):
        sys.modules.setdefault(_unused, None)  # type: ignore[arg-type]  # what import takes for "not there"
