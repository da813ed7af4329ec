#!/usr/bin/env python3
"""A wire to pull from: serves a script of news that grows, as RSS, Atom and JSON Feed.

    python3 examples/feed_server.py --port 9100 --speed 60
    ./writethru sources add harbour-bridge http://127.0.0.1:9100/feed.rss

Python's standard library is all it takes. It answers conditional requests as a good feed does.
A script is a JSON list of entries, each shown from `at` seconds on: {"at": 600, "id": "ferry",
"title": "Ferry runs", "html": "<p>It runs all night.</p>"}. The same id later is an edit, with
"gone": true it vanishes. To see what happens when a wire fails:

    curl -X POST 'http://127.0.0.1:9100/fail?times=3&status=503&retry_after=20'
"""

import argparse
import hashlib
import json
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

#: An hour of a story, ten minutes between two entries.
STORY = [
    {"at": 0, "id": "closed", "title": "Bridge closed",
     "html": "<p>The harbour bridge is <b>closed</b> to all traffic.</p>"},
    {"at": 600, "id": "ferry", "title": "Ferry runs all night",
     "html": "<p>The ferry runs every ten minutes until the bridge opens.</p>"},
    {"at": 1200, "id": "spans", "title": "Two spans checked",
     "html": "<p>Engineers have checked two of five spans.</p>"},
    {"at": 1800, "id": "spans", "title": "Two spans checked",
     "html": "<p>Engineers have checked three of five spans.</p>"},
    {"at": 2400, "id": "lorries", "title": "Lorries stay out",
     "html": "<p>Lorries are sent round by the valley road.</p>"},
    {"at": 3000, "id": "open", "title": "Bridge opens",
     "html": "<p>The first cars crossed. <a href=\"/notice\">The notice</a> has the rest.</p>"},
]  # fmt: skip

BEGINNING = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


class Wire:
    """A script of news as it stands `seconds()` after its beginning, `speed` of them in one."""

    def __init__(self, script, seconds, began=BEGINNING, speed=1.0):
        self.script = list(script)
        self.seconds = seconds
        self.began = began
        self.speed = speed
        #: Answers that are still to be failures, each (status, seconds for Retry-After or None).
        self.failures = []
        #: What was asked for, and the status of the answer.
        self.asked = []

    def fail(self, times, status=503, retry_after=None):
        self.failures += [(status, retry_after)] * times

    def entries(self):
        """Return what is in the feed now, the newest first."""
        shown = {}
        for entry in self.script:
            if entry["at"] <= self.seconds():
                moment = self.moment(entry["at"])
                first = shown.get(entry["id"], {}).get("published", moment)
                shown[entry["id"]] = {**entry, "published": first, "updated": moment}
        kept = [entry for entry in shown.values() if not entry.get("gone")]
        return sorted(kept, key=lambda entry: entry["published"], reverse=True)

    def modified(self):
        """Return when it changed last."""
        past = [each["at"] for each in self.script if each["at"] <= self.seconds()]
        return self.moment(max(past, default=0))

    def moment(self, at):
        """Return when what is `at` so many seconds of the script was shown."""
        return self.began + timedelta(seconds=at / self.speed)


def rss(entries, base):
    items = "".join(
        f'<item><guid isPermaLink="false">{escape(each["id"])}</guid>'
        f"<title>{escape(each['title'])}</title>"
        f"<link>{base}/{escape(each['id'])}</link>"
        f"<pubDate>{format_datetime(each['published'])}</pubDate>"
        f"<description>{escape(each['html'])}</description></item>"
        for each in entries
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>'
        f"<title>A wire</title><link>{base}</link><description>News</description>{items}"
        "</channel></rss>"
    )


def atom(entries, base):
    items = "".join(
        f"<entry><id>{escape(each['id'])}</id><title>{escape(each['title'])}</title>"
        f'<link href="{base}/{escape(each["id"])}"/>'
        f"<published>{each['published'].isoformat()}</published>"
        f"<updated>{each['updated'].isoformat()}</updated>"
        f'<content type="html">{escape(each["html"])}</content></entry>'
        for each in entries
    )
    updated = max((each["updated"] for each in entries), default=BEGINNING).isoformat()
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>{base}</id><title>A wire</title><updated>{updated}</updated>{items}</feed>"
    )


def json_feed(entries, base):
    items = [
        {
            "id": each["id"],
            "url": f"{base}/{each['id']}",
            "title": each["title"],
            "content_html": each["html"],
            "date_published": each["published"].isoformat(),
            "date_modified": each["updated"].isoformat(),
        }
        for each in entries
    ]
    return json.dumps(
        {"version": "https://jsonfeed.org/version/1.1", "title": "A wire", "items": items}
    )


FORMS = {
    "/feed.rss": (rss, "application/rss+xml"),
    "/feed.atom": (atom, "application/atom+xml"),
    "/feed.json": (json_feed, "application/feed+json"),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wire = None

    def do_GET(self):
        path = urlsplit(self.path).path
        if self.wire.failures:
            status, retry_after = self.wire.failures.pop(0)
            more = {} if retry_after is None else {"retry-after": str(retry_after)}
            self.answer(status, b"", **more)
        elif path not in FORMS:
            self.answer(404, b"/feed.rss, /feed.atom and /feed.json are here\n")
        else:
            self.show(*FORMS[path])

    def do_POST(self):
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path != "/fail":
            self.answer(404, b"POST /fail?times=3&status=503 makes it fail\n")
            return
        rest = asked.get("retry_after")
        self.wire.fail(int(asked.get("times", 1)), int(asked.get("status", 503)), rest)
        self.answer(204, b"")

    def show(self, form, media_type):
        base = f"http://{self.headers.get('host', 'localhost')}"
        body = form(self.wire.entries(), base).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        modified = self.wire.modified()
        known = {"etag": etag, "last-modified": format_datetime(modified, usegmt=True)}
        if self.is_known(etag, modified):
            self.answer(304, b"", **known)
        else:
            self.answer(200, body, **known, **{"content-type": media_type})

    def is_known(self, etag, modified):
        if "if-none-match" in self.headers:
            return etag in self.headers["if-none-match"]
        since = self.headers.get("if-modified-since")
        return bool(since) and parsedate_to_datetime(since) >= modified

    def answer(self, status, body, **headers):
        self.wire.asked.append((self.path, status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class FeedServer:
    """Serves a wire on `port`, a free one if it is 0, until it is left as a context."""

    def __init__(self, wire, port=0, host="127.0.0.1"):
        self.wire = wire
        self.server = ThreadingHTTPServer((host, port), type("Of", (Handler,), {"wire": wire}))
        self.server.daemon_threads = True
        self.url = f"http://{host}:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("script", nargs="?", help="a JSON list of entries; else a story of its own")
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--speed", type=float, default=1.0, help="script's seconds in a second")
    given = parser.parse_args()
    script = json.loads(Path(given.script).read_text("utf-8")) if given.script else STORY
    began = time.monotonic()
    # As if it had been written just now: entries from long ago would have no time of their own.
    wire = Wire(
        script,
        lambda: (time.monotonic() - began) * given.speed,
        datetime.now(UTC),
        given.speed,
    )
    with FeedServer(wire, given.port) as server:
        print(f"{server.url}/feed.rss, /feed.atom, /feed.json", flush=True)
        with suppress(KeyboardInterrupt):
            server.thread.join()


if __name__ == "__main__":
    main()
