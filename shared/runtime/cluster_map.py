"""Which node of a cluster has which keys, as far as its nodes have told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from redis import exceptions
from redis.asyncio import Redis
from redis.crc import key_slot

from shared.runtime.engine_url import Address, WrongEngineError

SLOTS = 16_384
#: Any other node knows as well.
ASK_SECONDS = 1.0

#: Commands of ours that name no key.
_KEYLESS = {"PING", "TIME", "INFO", "CONFIG GET", "ACL LOAD", "ACL WHOAMI", "SCRIPT FLUSH"}
_AFTER_STREAMS = {"XREAD", "XREADGROUP"}
_SCRIPTS = {"EVAL", "EVALSHA"}


class Unsettled(exceptions.ConnectionError):
    """The cluster takes no commands for a key at the moment: nothing was done; try again."""


def key_of(args: Sequence[Any]) -> Any:
    """Return a key that the command *args* names; None where it names none."""
    command = args[0] if isinstance(args[0], str) else args[0].decode()
    if command in _KEYLESS:
        return None
    if command in _SCRIPTS:
        return args[3]
    if command in _AFTER_STREAMS:
        return args[list(args).index(b"STREAMS") + 1]
    return args[1] if len(args) > 1 else None


def slot_of(key: str | bytes) -> int:
    """Return the slot that *key* is in."""
    return int(key_slot(key.encode() if isinstance(key, str) else key))


class ClusterMap:
    """The nodes, and a client for each."""

    def __init__(self, seeds: Sequence[Address], client_at: Callable[[Address], Redis]) -> None:
        self._seeds = tuple(seeds)
        self._client_at = client_at
        self._clients: dict[Address, Redis] = {}
        self._owners: list[Address | None] = []
        self._known: set[Address] = set()
        self._asking = asyncio.Lock()

    async def owner(self, key: str | bytes | None) -> Redis:
        """Return the node that has *key*; any that has keys, if it is None.

        Raises:
            Unsettled: no node has it.
            ConnectionError: no node answers.
            WrongEngineError: what answers belongs to no cluster.
        """
        if not self._owners:
            async with self._asking:
                if not self._owners:
                    await self._ask_anybody()
        if key is None:
            return self.at(self.addresses[0])
        address = self._owners[slot_of(key)]
        if address is None:
            self._owners = []
            raise Unsettled("no node of the cluster has the key's slot")
        return self.at(address)

    @property
    def addresses(self) -> Sequence[Address]:
        """Return where the nodes are that have keys, in the order of their slots."""
        return tuple(dict.fromkeys(each for each in self._owners if each))

    def primaries(self) -> list[Redis]:
        """Return a client for each node that has keys."""
        return [self.at(address) for address in self.addresses]

    def everyone(self) -> list[Redis]:
        """Return a client for each node, replicas too, as far as they were told of."""
        return [self.at(address) for address in sorted(self._known)]

    def at(self, address: Address) -> Redis:
        """Return a client for the node at *address*."""
        if address not in self._clients:
            self._clients[address] = self._client_at(address)
        return self._clients[address]

    def learn(self, error: Exception) -> None:
        """Take in what an *error* tells: where a slot is, or that we should ask."""
        if isinstance(error, exceptions.MovedError) and self._owners and error.host:
            self._owners[int(error.slot_id)] = (error.host, int(error.port))
        else:
            self._owners = []

    async def refresh(self) -> None:
        """Ask again who has what. Raises as `owner`."""
        async with self._asking:
            await self._ask_anybody()

    async def aclose(self) -> None:
        """Close all clients."""
        clients, self._clients = self._clients, {}
        await asyncio.gather(*(client.aclose() for client in clients.values()))

    async def _ask_anybody(self) -> None:
        known = random.sample(sorted(self._known), len(self._known))
        failure: Exception | None = None
        for address in dict.fromkeys((*known, *self._seeds)):
            try:
                node: Any = self.at(address)  # its commands have no types
                async with asyncio.timeout(ASK_SECONDS):
                    ranges = await node.execute_command("CLUSTER", "SLOTS")
                return await self._take(address, ranges)
            except exceptions.AuthenticationError:
                raise
            except (exceptions.ConnectionError, exceptions.TimeoutError, TimeoutError) as error:
                failure = error
            except exceptions.ResponseError as error:
                if "cluster support disabled" in str(error):
                    where = f"{address[0]}:{address[1]}"
                    raise WrongEngineError(
                        f"{where} belongs to no cluster; write redis://{where} for an engine that "
                        "stands alone"
                    ) from None
                raise
        raise exceptions.ConnectionError(f"no node of the cluster answers ({failure})") from failure

    async def _take(self, asked: Address, ranges: Iterable[Any]) -> None:
        owners: list[Address | None] = [None] * SLOTS
        known: set[Address] = set()
        for first, last, *nodes in ranges:
            places = [(node[0].decode() or asked[0], int(node[1])) for node in nodes]
            owners[first : last + 1] = [places[0]] * (last + 1 - first)
            known |= set(places)
        if not known:
            raise exceptions.ConnectionError("the cluster has no slots yet")
        self._owners, self._known = owners, known
        gone = self._clients.keys() - known - set(self._seeds)
        for address in gone:
            await self._clients.pop(address).aclose()
