"""The way out of ingest, opened when the first source is pulled: most processes never need it."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from shared.runtime.settings import Settings

if TYPE_CHECKING:
    from shared.runtime.fetching import Answer, Outbound


class OutOfReach(Exception):
    """There is no answer; *reason* is a sentence for whoever named the address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Outside:
    """Calls to sources, until it is left as a context; where they may go, *settings* say."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._outbound: Outbound | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._outbound is not None:
            await self._outbound.__aexit__(kind, error, trace)

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limit: int
    ) -> Answer:
        """Make one request, as `Outbound.send`.

        Raises:
            OutOfReach: there is no answer, or the address may not be called.
        """
        from shared.runtime.dialing import Unreachable  # who pulls nothing calls nobody

        outbound = await self._opened()
        try:
            return await outbound.send(method, url, headers, body, limit)
        except Unreachable as error:
            raise OutOfReach(error.reason) from None
        except ValueError as error:
            raise OutOfReach(str(error)) from None

    async def _opened(self) -> Outbound:
        from shared.runtime.fetching import Outbound  # likewise

        if self._outbound is None:
            self._outbound = Outbound(self._settings.outbound)
            await self._outbound.__aenter__()
        return self._outbound
