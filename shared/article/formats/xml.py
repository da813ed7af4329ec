"""XML by elements: strings are escaped on the way in, what no document may hold is left out."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
#: XML 1.0, 2.2: these may not even be written as references.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def element(name: str, *content: str, **attributes: str | None) -> Markup:
    """Return an element with *content*, elements as they are and text escaped.

    An attribute that is None is left out.
    """
    given = (f' {key}="{escape(value)}"' for key, value in attributes.items() if value is not None)
    opening = f"<{name}{''.join(given)}"
    if not content:
        return Markup(f"{opening}/>")  # noqa: S704 -- escaped above, as below
    inner = "".join(map(escape, content))
    return Markup(f"{opening}>{inner}</{name}>")  # noqa: S704


def root(name: str, attributes: dict[str, str], *content: str) -> str:
    """Return a document whose root has *attributes*, each child on a line of its own."""
    given = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    inner = "\n".join(map(escape, content))
    document = f"{_DECLARATION}<{name}{given}>\n{inner}\n</{name}>\n"
    return _NO_XML.sub("\ufffd", document)
