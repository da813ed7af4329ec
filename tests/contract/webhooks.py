"""Webhooks: `python -m tests.contract.webhooks --deliver https://live.example --key wt_…`.

It makes subscriptions of its own and takes them away again. `--callback` is where deliver reaches
the port that is listened on; a deliver on this machine needs WRITETHRU_OUTBOUND_ALLOW=127.0.0.1.
With `--article` it has the last change of one told again, to see what becomes of a message that
is not taken; that needs a quarter of a minute.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import queue
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx2
import orjson

from tests.contract.checking import Result, Rules, SkippedError, need, tell
from tests.serving import serving
from tests.waiting import until_sync

RULES: Rules[Asked] = Rules()
PATIENCE = 20.0
_PATH = "/v1/subscriptions"
#: For how many seconds we ask to be left alone, longer than anybody's first pause.
REST = 8


@dataclass(frozen=True)
class Call:
    """A request that came; *at* is a monotonic second, *path* tells whose it is."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = 0.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """A server, and where we listen: *answers* are those to the next calls, then 204.

    *article* is the slug of one that may be told of again.
    """

    deliver: str
    key: str
    callback: str
    article: str = ""
    calls: queue.Queue[Call] = field(default_factory=queue.Queue)
    answers: list[Answer] = field(default_factory=list)
    http: httpx2.Client = field(init=False)
    _made: int = 0

    def __post_init__(self) -> None:
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        self.http = httpx2.Client(
            base_url=self.deliver, headers=headers, timeout=PATIENCE, trust_env=False
        )

    def call(self) -> Call:
        """Return the next call for the last subscription; queue.Empty if there is none."""
        while not (call := self.calls.get(timeout=PATIENCE)).path.endswith(f"?{self._made}"):
            pass
        return call

    @contextmanager
    def subscription(self, **wish: Any) -> Iterator[Any]:
        """Have one, until it is deleted."""
        self._made += 1
        wish = {"url": f"{self.callback}?{self._made}", **wish}
        answer = self.http.post(_PATH, json=wish)
        need(
            answer.status_code == 201, f"creating answers {answer.status_code}: {answer.text[:80]}"
        )
        made = answer.json()
        try:
            yield made
        finally:
            self.http.delete(f"{_PATH}/{made['id']}")

    @contextmanager
    def told_again(self, *answers: Answer) -> Iterator[Any]:
        """Have a subscription that is told of the article's last change, and give *answers*."""
        if not self.article:
            raise SkippedError("there is nothing to be told of; --article says what")
        version = self.http.get(f"/articles/{self.article}.json").json()["version"]
        with self.subscription(articles=[self.article]) as made:
            self.answers[:] = answers
            what = {"article": self.article, "from": version - 1}
            answer = self.http.post(f"{_PATH}/{made['id']}/replay", json=what)
            need(answer.is_success, f"replay answers {answer.status_code}: {answer.text[:80]}")
            yield made

    def test(self, made: Any) -> httpx2.Response:
        return self.http.post(f"{_PATH}/{made['id']}/test")

    def shown(self, made: Any) -> Any:
        return self.http.get(f"{_PATH}/{made['id']}").json()


def signatures(secret: str, call: Call) -> bool:
    """Whether one of the call's signatures is the secret's, by the standard's own words."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    head = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode()
    ours = base64.b64encode(hmac.digest(key, head + call.body, hashlib.sha256)).decode()
    return f"v1,{ours}" in call.headers["webhook-signature"].split(" ")


@RULES.rule("a subscription takes a key, and what isn't one is refused")
def _keys(asked: Asked) -> None:
    without = httpx2.get(f"{asked.deliver}{_PATH}", trust_env=False, timeout=PATIENCE)
    if asked.key:
        need(without.status_code == 401, f"without a key it answers {without.status_code}")
    listed = asked.http.get(_PATH)
    need(listed.status_code == 200, f"with the key it answers {listed.status_code}")


@RULES.rule("a secret is whsec_ with 24 to 64 bytes, shown once")
def _secret(asked: Asked) -> None:
    with asked.subscription() as made:
        need(made["secret"].startswith("whsec_"), "it doesn't begin with whsec_")
        size = len(base64.b64decode(made["secret"].removeprefix("whsec_"), validate=True))
        need(24 <= size <= 64, f"it has {size} bytes")
        need(made["secret"] not in orjson.dumps(asked.shown(made)).decode(), "it is shown again")


@RULES.rule("a message is a POST of JSON, signed as Standard Webhooks says")
def _signed(asked: Asked) -> None:
    with asked.subscription() as made:
        asked.test(made)
        call = asked.call()
        need(call.method == "POST", f"it is a {call.method}")
        need(call.headers.get("content-type", "").startswith("application/json"), "it is no JSON")
        said = orjson.loads(call.body)
        need({"type", "timestamp", "data"} <= said.keys(), "type, timestamp or data is missing")
        need(call.headers["webhook-id"], "webhook-id is missing")
        off = abs(time.time() - int(call.headers["webhook-timestamp"]))
        need(off < 300, f"webhook-timestamp is {off:.0f} s away")
        need(signatures(made["secret"], call), "no signature fits")
        turned = replace(call, body=call.body + b" ")
        need(not signatures(made["secret"], turned), "a changed body fits too")


@RULES.rule("while a secret replaces another, a message is signed with both")
def _rotated(asked: Asked) -> None:
    with asked.subscription() as made:
        answer = asked.http.post(f"{_PATH}/{made['id']}/rotate", json={})
        need(answer.status_code in (200, 201), f"rotating answers {answer.status_code}")
        asked.test(made)
        call = asked.call()
        need(signatures(answer.json()["secret"], call), "the new secret doesn't fit")
        need(signatures(made["secret"], call), "the old secret doesn't fit")


@RULES.rule("each message has an id of its own")
def _ids(asked: Asked) -> None:
    with asked.subscription() as made:
        asked.test(made)
        first = asked.call().headers["webhook-id"]
        asked.test(made)
        need(asked.call().headers["webhook-id"] != first, "two messages have one id")


@RULES.rule("a redirect is a failure, and is not followed")
def _redirect(asked: Asked) -> None:
    with asked.subscription() as made:
        asked.answers[:] = [Answer(302, {"location": "/elsewhere"})]
        asked.test(made)
        asked.call()
        recent = asked.shown(made)["recent"]
        need(asked.calls.empty(), "it was followed")
        need(not recent or recent[0].get("status") == 302, f"it counts as {recent[0]}")


@RULES.rule("a subscription is listed, paused, resumed and deleted")
def _acts(asked: Asked) -> None:
    with asked.subscription(name="conformance") as made:
        listed = asked.http.get(_PATH).json()["subscriptions"]
        need(made["id"] in [each["id"] for each in listed], "it is not listed")
        for act, status in (("pause", "paused"), ("resume", "active")):
            answer = asked.http.post(f"{_PATH}/{made['id']}/{act}")
            need(answer.is_success, f"{act} answers {answer.status_code}")
            need(asked.shown(made)["status"] == status, f"it is not {status}")
        asked.http.delete(f"{_PATH}/{made['id']}")
        gone = asked.http.get(f"{_PATH}/{made['id']}").status_code
        need(gone == 404, f"a deleted one answers {gone}")


@RULES.rule("addresses that lead inside are refused, and so is what is no https URL")
def _addresses(asked: Asked) -> None:
    for url in (
        *("http://169.254.169.254/latest/meta-data", "https://[::ffff:10.0.0.1]/", "https://10.1/"),
        *("https://user:word@hooks.example.org/", "ftp://hooks.example.org/", "hooks", ""),
        *("https://[64:ff9b::a9fe:a9fe]/", "https://hooks.example.org/#a", "https://0/"),
    ):
        answer = asked.http.post(_PATH, json={"url": url})
        if answer.status_code == 201:
            asked.http.delete(f"{_PATH}/{answer.json()['id']}")
        need(answer.status_code in (400, 422), f"{url!r} answers {answer.status_code}")


@RULES.rule("a misspelt field is refused by its name")
def _fields(asked: Asked) -> None:
    answer = asked.http.post(_PATH, json={"url": asked.callback, "artcles": ["*"]})
    if answer.status_code == 201:
        asked.http.delete(f"{_PATH}/{answer.json()['id']}")
    need(answer.status_code == 422, f"it answers {answer.status_code}")
    need("artcles" in answer.text, "it isn't named")


@RULES.rule("a message that is not taken is sent again, under its id, and signed anew")
def _again(asked: Asked) -> None:
    with asked.told_again(Answer(500)) as made:
        first, second = asked.call(), asked.call()
    need(first.headers["webhook-id"] == second.headers["webhook-id"], "the id is another one")
    need(signatures(made["secret"], second), "no signature fits")
    stamps = [int(each.headers["webhook-timestamp"]) for each in (first, second)]
    need(stamps[0] < stamps[1], "webhook-timestamp is that of the attempt before")


@RULES.rule("whoever asks by Retry-After to be left alone is left alone for so long")
def _rest(asked: Asked) -> None:
    with asked.told_again(Answer(503, {"retry-after": str(REST)})):
        first, second = asked.call(), asked.call()
    need(first.headers["webhook-id"] == second.headers["webhook-id"], "the id is another one")
    need(second.at - first.at >= REST - 0.1, f"it came after {second.at - first.at:.1f} s")


@RULES.rule("whoever answers 410 is told nothing more: the subscription is disabled")
def _gone(asked: Asked) -> None:
    with asked.told_again(Answer(410)) as made:
        asked.call()
        until_sync(lambda: asked.shown(made)["status"] == "disabled", PATIENCE)
        need(asked.shown(made).get("reason"), "it isn't said why")
    need(asked.calls.empty(), "it was called again")


@contextmanager
def listening(port: int = 0) -> Iterator[tuple[int, queue.Queue[Call], list[Answer]]]:
    """Listen on *port*; yield it, the calls that come, and what to answer next."""
    calls: queue.Queue[Call] = queue.Queue()
    answers: list[Answer] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at = time.monotonic()
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = answers.pop(0) if answers else Answer(204)
            self.send_response(answer.status)
            for name, value in {"content-length": "0", **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            calls.put(Call(self.command, self.path, headers, body, at))

        do_GET = do_POST  # noqa: N815

    with serving(Handler, "", port) as at:
        yield at, calls, answers


def ask(
    deliver: str, key: str = "", article: str = "", callback: str = "", port: int = 0
) -> list[Result]:
    """Ask about all rules."""
    with listening(port) as (at, calls, answers):
        where = callback or f"http://127.0.0.1:{at}/hook"
        asked = Asked(deliver, key, where, article, calls, answers)
        with asked.http:
            return RULES.ask(asked)


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser("python -m tests.contract.webhooks", description=__doc__)
    parser.add_argument("--deliver", required=True, help="such as https://live.example")
    parser.add_argument("--key", default="", help="a key with the scope read")
    parser.add_argument("--article", default="", help="the slug of one that may be told of again")
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0: any port")
    parser.add_argument("--callback", default="", help="where deliver reaches that port")
    said = parser.parse_args()
    deliver = said.deliver.rstrip("/")
    return tell(ask(deliver, said.key, said.article, said.callback, said.port))


if __name__ == "__main__":
    sys.exit(main())
