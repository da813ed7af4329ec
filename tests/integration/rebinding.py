"""A DNS server of our own, whose answers change, and a resolver that asks it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, inet_pton
from typing import cast


class Names(asyncio.DatagramProtocol):
    """Answers each question about a name with the next of its *answers*, and the last for ever."""

    def __init__(self, answers: dict[str, list[list[str]]]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        name, end = _name(data, 12)
        self.asked.append(name)
        left = self.answers[name]
        found = left.pop(0) if len(left) > 1 else left[0]
        question = data[12 : end + 4]
        head = data[:2] + b"\x81\x80\x00\x01" + len(found).to_bytes(2, "big") + bytes(4)
        self._transport.sendto(head + question + b"".join(map(_record, found)), sender)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Ask once for all addresses of *host*. What is a number already is nobody's to ask."""
        try:
            return [str(ip_address(host))]
        except ValueError:
            return await _ask(self.port, host)


@asynccontextmanager
async def serving(**answers: list[list[str]]) -> AsyncIterator[Names]:
    """Serve *answers*, by name with ``_`` for each dot."""
    named = {name.replace("_", "."): value for name, value in answers.items()}
    loop = asyncio.get_running_loop()
    transport, names = await loop.create_datagram_endpoint(
        lambda: Names(named), local_addr=("127.0.0.1", 0)
    )
    try:
        yield names
    finally:
        transport.close()


class _Question(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _sender: object) -> None:
        self.answer.set_result(data)


async def _ask(port: int, host: str) -> list[str]:
    name = b"".join(bytes([len(part)]) + part.encode() for part in host.split(".")) + b"\0"
    asked = os.urandom(2) + b"\x01\x00\x00\x01" + bytes(6) + name + b"\x00\xff\x00\x01"
    transport, question = await asyncio.get_running_loop().create_datagram_endpoint(
        _Question, remote_addr=("127.0.0.1", port)
    )
    try:
        transport.sendto(asked)
        answer = await asyncio.wait_for(question.answer, 5)
    finally:
        transport.close()
    found, place = [], 12 + len(name) + 4
    for _ in range(int.from_bytes(answer[6:8], "big")):
        length = int.from_bytes(answer[place + 10 : place + 12], "big")
        found.append(str(ip_address(answer[place + 12 : place + 12 + length])))
        place += 12 + length
    return found


def _name(data: bytes, place: int) -> tuple[str, int]:
    parts = []
    while length := data[place]:
        parts.append(data[place + 1 : place + 1 + length].decode())
        place += 1 + length
    return ".".join(parts), place + 1


def _record(address: str) -> bytes:
    """Return an answer of type A or AAAA about the question's name."""
    six = ":" in address
    packed = inet_pton(AF_INET6 if six else AF_INET, address)
    kind = b"\x00\x1c" if six else b"\x00\x01"
    return b"\xc0\x0c" + kind + b"\x00\x01" + bytes(4) + len(packed).to_bytes(2, "big") + packed
