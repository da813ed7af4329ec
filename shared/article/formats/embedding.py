"""The style of an article inside somebody else's page, made of the page's own.

It is for a shadow root, where there is no `html` and no `body`: what these have is the frame's,
which begins from nothing, so that what the page around would have it inherit does not come in.
Lengths that follow the root element's font would follow that page's, so they are pixels. The rail
is left out: how wide the window is says nothing of the room that there is.
"""

from __future__ import annotations

import re

_REM = re.compile(r"(?<![\w.])(\d*\.?\d+)rem\b")
_RAIL = re.compile(r"@media \(min-width: 60em\) \{.*?\n\}\n", re.DOTALL)
_DARK = re.compile(
    r"@media \(prefers-color-scheme: dark\) \{\n  :root \{\n(?P<colours>.*?)\n  \}\n\}\n", re.DOTALL
)
_ROOT = re.compile(r"(?<![\w-]):root\b")
_BODY = re.compile(r"^body \{", re.MULTILINE)
_HTML = re.compile(r"^html \{.*?\}\n", re.MULTILINE)
_OWN = """\
.frame { all: initial; display: block; }
.frame { color-scheme: light dark; }
.frame[data-theme="light"] { color-scheme: light; }
.frame[data-theme="dark"] { color-scheme: dark; }
#article { position: relative; max-width: 44rem; padding: 1.25rem 0 0; }
.headline { font-size: 1.9rem; line-height: 1.15; margin: .5rem 0; hyphens: auto; }
#article.message { min-height: 0; padding-top: 1rem; }
"""


def embedded(style: str) -> str:
    """Return *style*, that of pages, for the frame of an article in another page."""
    dark = _DARK.search(style)
    colours = dark["colours"] if dark else ""
    style = _DARK.sub("", _RAIL.sub("", _HTML.sub("", style)))
    style = _BODY.sub(".frame {", _ROOT.sub(".frame", style))
    first, _, rest = _OWN.partition("\n")
    dark_of_itself = f'.frame:not([data-theme="light"]) {{\n{colours}\n}}'
    themes = (
        f"@media (prefers-color-scheme: dark) {{\n{dark_of_itself}\n}}\n"
        f'.frame[data-theme="dark"] {{\n{colours}\n}}\n'
    )
    whole = f"{first}\n{style}\n{rest}{themes}"
    return _REM.sub(lambda found: f"{float(found[1]) * 16:g}px", whole)
