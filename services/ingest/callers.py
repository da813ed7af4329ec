"""Who sends a request, and so what it may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers

from shared.contract.access import EVERYBODY, Rights
from shared.runtime.door import Door


@dataclass(frozen=True, slots=True)
class Callers:
    """Knows callers by their keys; without a *door* everybody is welcome."""

    door: Door | None

    async def rights(self, headers: Headers, host: str | None) -> Rights:
        """Return what the sender of *headers* from *host* may do; raises as `Door.admit`."""
        if self.door is None:
            return EVERYBODY
        key = await self.door.admit(headers.getlist("authorization"), host)
        return key.rights
