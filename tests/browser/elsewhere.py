"""A page of somebody else's, on an origin of its own, with a strict policy and a hostile style."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from tests.serving import serving

#: What sites do to everything on their pages, and some to what is in others'.
HOSTILE = """
* { color: rgb(255, 0, 0) !important; letter-spacing: 9px !important; }
* { font-family: monospace !important; }
html { font-size: 41px; direction: rtl; }
body { text-transform: uppercase; line-height: 4; visibility: visible; text-align: right; }
h2, article, section, p, .update, .headline, #article, #updates { display: none !important; }
a { pointer-events: none !important; }
:root { --ink: yellow !important; --paper: yellow !important; }
"""
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A gazette</title>
<link rel="stylesheet" href="/hostile.css"></head><body><main><h1 id="own">The gazette</h1>
<div id="before">Before.</div>{tags}<div id="after" class="update headline">After.</div>
</main></body></html>
"""


@contextmanager
def gazette(deliver: str, pages: dict[str, str], style: str = HOSTILE) -> Iterator[str]:
    """Serve *pages*, the tags that each has by its path, in *style*; yield the address."""
    policy = (
        f"default-src 'none'; script-src {deliver}; style-src 'self' {deliver}; "
        f"connect-src {deliver}; img-src https:; base-uri 'none'"
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path in pages
            styled = self.path == "/hostile.css"
            body = style if styled else PAGE.replace("{tags}", pages[self.path]) if found else ""
            self.send_response(200 if found or styled else 404)
            self.send_header("content-type", "text/css" if styled else "text/html; charset=utf-8")
            self.send_header("content-security-policy", policy)
            self.end_headers()
            self.wfile.write(body.encode())

    with serving(Handler) as port:
        yield f"http://localhost:{port}"
