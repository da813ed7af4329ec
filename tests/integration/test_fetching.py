"""Calls to others: to where they said, once it was judged, and nothing that the answer says."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme

from shared.contract.addresses import networks
from shared.runtime.dialing import Resolve, Rules, Unreachable
from shared.runtime.fetching import BODY_BYTES, Outbound
from tests.integration.rebinding import serving
from tests.integration.receiver import receiving

OURS = Rules(allow=networks("127.0.0.0/8,::1"))


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    authority = trustme.CA()
    file = tmp_path_factory.mktemp("papers") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("hooks.example").configure_cert(context)
    return file, context


def always(*addresses: str) -> Resolve:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


async def test_a_call_brings_what_was_sent_and_the_answer_back() -> None:
    answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nRetry-After: 7\r\n\r\nok"
    async with receiving(answer=answer) as receiver, Outbound(OURS) as outbound:
        back = await outbound.post(
            f"http://127.0.0.1:{receiver.port}/hook?a=b", b"news", {"webhook-id": "1"}
        )

    assert (back.status, back.body, back.headers["retry-after"]) == (201, b"ok", "7")
    assert back.seconds > 0
    [call] = receiver.calls
    assert (call.method, call.target, call.body) == ("POST", "/hook?a=b", b"news")
    assert call.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert call.headers["webhook-id"] == "1"
    assert call.headers["accept-encoding"] == "identity"


async def test_over_tls_the_name_is_told_and_checked_though_a_number_is_called(
    papers: tuple[Path, ssl.SSLContext],
) -> None:
    # Given a receiver with a certificate for a name that only our DNS knows
    file, context = papers
    told: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: told.append(name)
    rules = Rules(allow=OURS.allow, ca_file=file)
    async with (
        serving(hooks_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]]) as names,
        receiving(context=context) as receiver,
        Outbound(rules, resolve=names.resolve) as outbound,
    ):
        # When it is called by that name, and by another that leads there
        back = await outbound.post(f"https://hooks.example:{receiver.port}/", b"", {})
        with pytest.raises(Unreachable, match="certificate is not right"):
            await outbound.post(f"https://other.example:{receiver.port}/", b"", {})

    # Then the one is taken, the other is not
    assert back.status == 204
    assert [call.headers["host"] for call in receiver.calls] == [f"hooks.example:{receiver.port}"]
    assert told == ["hooks.example", "other.example"]


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    papers: tuple[Path, ssl.SSLContext],
) -> None:
    async with (
        receiving(context=papers[1]) as receiver,
        Outbound(OURS, resolve=always("127.0.0.1")) as outbound,
    ):
        with pytest.raises(Unreachable, match="certificate is not right"):
            await outbound.post(f"https://hooks.example:{receiver.port}/", b"", {})
    assert receiver.calls == []


async def test_a_name_that_changes_after_it_was_judged_is_not_looked_up_again() -> None:
    # Given a DNS that says somebody's own network first, and this machine ever after
    async with (
        serving(rebind_example=[["127.0.0.9"], ["127.0.0.1"]]) as names,
        receiving() as receiver,
        Outbound(Rules(allow=networks("127.0.0.9")), resolve=names.resolve) as outbound,
    ):
        # When a call is judged by the first answer, nobody being there
        with pytest.raises(Unreachable, match="nobody takes the connection"):
            await outbound.post(f"http://rebind.example:{receiver.port}/", b"", {})

        # Then it went nowhere else, and the DNS was asked once
        assert names.asked == ["rebind.example"]
        assert receiver.connections == 0

        # And the next call is judged by what the name stands for then
        with pytest.raises(Unreachable, match="not public") as error:
            await outbound.post(f"http://rebind.example:{receiver.port}/", b"", {})
        assert error.value.forbidden
        assert receiver.connections == 0


async def test_a_public_name_that_turns_inward_is_refused_when_it_is_called() -> None:
    async with (
        serving(hooks_example=[["8.8.8.8"], ["127.0.0.1"], ["::1"], ["::ffff:7f00:1"]]) as names,
        Outbound(resolve=names.resolve) as outbound,
    ):
        # Given a URL that was taken when it was filed
        assert str(await outbound.check("https://hooks.example/a")) == "https://hooks.example/a"

        # Then its other faces are refused when it is called
        for _ in range(3):
            with pytest.raises(Unreachable, match="not public"):
                await outbound.post("https://hooks.example/a", b"", {})
    assert len(names.asked) == 4


async def test_one_address_that_is_not_public_among_others_is_enough_to_refuse() -> None:
    async with (
        serving(mixed_example=[["93.184.215.14", "10.0.0.1"]]) as names,
        Outbound(resolve=names.resolve) as outbound,
    ):
        with pytest.raises(Unreachable, match="not public") as error:
            await outbound.post("https://mixed.example/", b"", {})
    assert "10.0.0.1" not in str(error.value)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::]", "0.0.0.0", "169.254.169.254"),
        *("2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "①②⑦.⓪.⓪.①", "localhost"),
        *(
            "[64:ff9b::a9fe:a9fe]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "127。0。0。1",
        ),
    ],
)
async def test_no_way_to_write_this_machine_or_a_clouds_own_gets_through(host: str) -> None:
    # The system's own look-up, which takes each of them
    async with Outbound() as outbound:
        with pytest.raises(Unreachable) as error:
            await outbound.post(f"https://{host}/", b"", {})
        with pytest.raises((ValueError, Unreachable)):
            await outbound.check(f"https://{host}/")
    assert error.value.forbidden or "no address" in error.value.reason


async def test_public_hosts_are_called_by_https_at_certain_ports_though_others_are_ours() -> None:
    async with Outbound(OURS, resolve=always("93.184.215.14")) as outbound:
        for url in ("http://hooks.example/", "https://hooks.example:6379/"):
            with pytest.raises(Unreachable, match="https at port 443 or 8443"):
                await outbound.post(url, b"", {})
            with pytest.raises(ValueError, match="callback: a public host"):
                await outbound.check(url, "callback")
    async with Outbound() as outbound:
        with pytest.raises(Unreachable, match="must begin with https"):
            await outbound.post("http://hooks.example/", b"", {})


async def test_a_redirect_and_a_cookie_are_answers_like_others() -> None:
    answer = (
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/inside\r\n"
        b"set-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
    )
    async with receiving(answer=answer) as receiver, Outbound(OURS) as outbound:
        url = f"http://127.0.0.1:{receiver.port}/"
        first = await outbound.post(url, b"", {})
        second = await outbound.get(url, {})

    assert (first.status, second.status) == (302, 302)
    assert len(receiver.calls) == 2
    assert all("cookie" not in call.headers for call in receiver.calls)


async def test_a_body_is_read_up_to_the_limit_and_never_unpacked() -> None:
    bomb = gzip.compress(bytes(1_000_000))
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(bytes(16_384))
            await writer.drain()

    async with Outbound(OURS) as outbound:
        async with receiving(answer=head + bomb) as receiver:
            packed = await outbound.get(f"http://127.0.0.1:{receiver.port}/", {})
        async with receiving(write=endless) as receiver:
            cut = await outbound.get(f"http://127.0.0.1:{receiver.port}/", {})

    assert (packed.body, packed.whole) == (bomb, True)
    assert (len(cut.body), cut.whole) == (BODY_BYTES, False)


async def test_whoever_keeps_us_waiting_is_left_after_the_limit() -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def never(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with receiving(write=trickle) as receiver, Outbound(OURS, total=0.3) as outbound:
        with pytest.raises(Unreachable, match=r"within 0\.3 seconds") as error:
            await outbound.post(f"http://127.0.0.1:{receiver.port}/", b"", {})
        assert not error.value.forbidden
    async with Outbound(OURS, total=0.1, resolve=never) as outbound:
        with pytest.raises(Unreachable, match=r"within 0\.1 seconds"):
            await outbound.post("http://hooks.example/", b"", {})


async def test_what_is_wrong_is_said_in_a_sentence_and_trying_again_may_help() -> None:
    async def broken(writer: asyncio.StreamWriter) -> None:
        writer.close()

    told = []
    async with Outbound(OURS) as outbound:
        async with receiving(answer=b"SSH-2.0-OpenSSH\r\n\r\n") as receiver:
            told.append(await _refused(outbound, f"http://127.0.0.1:{receiver.port}/"))
        async with receiving(write=broken) as receiver:
            told.append(await _refused(outbound, f"http://127.0.0.1:{receiver.port}/"))
        told.append(await _refused(outbound, f"http://127.0.0.1:{receiver.port}/"))
        told.append(await _refused(outbound, "http://nowhere.invalid/"))

    assert told == [
        "what came back is no whole answer of HTTP",
        "what came back is no whole answer of HTTP",
        "nobody takes the connection",
        "the host has no address; is its name right?",
    ]


async def _refused(outbound: Outbound, url: str) -> str:
    with pytest.raises(Unreachable) as error:
        await outbound.post(url, b"", {})
    assert not error.value.forbidden
    return error.value.reason


async def test_a_header_that_would_be_two_is_our_own_mistake_and_is_not_sent() -> None:
    async with receiving() as receiver, Outbound(OURS) as outbound:
        with pytest.raises(ValueError, match="header"):
            await outbound.post(f"http://127.0.0.1:{receiver.port}/", b"", {"a": "b\r\nhost: c"})
    assert receiver.calls == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with Outbound(OURS) as outbound:
            await outbound.post(f"http://127.0.0.1:{receiver.port}/", b"", {})
    assert (proxy.connections, receiver.connections) == (0, 1)


async def test_a_connection_is_used_again() -> None:
    async with receiving() as receiver, Outbound(OURS) as outbound:
        for _ in range(3):
            await outbound.post(f"http://127.0.0.1:{receiver.port}/", b"", {})
    assert receiver.connections == 1
