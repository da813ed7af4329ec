"""Sources: what ingest pulls for an article, instead of waiting for somebody to push it.

They come in an event's `pull`, and are in the ledger as they were sent; operators add others. What
ingest files for one has `/sources/<name>` for its `source`, so a name is what its events are known
by for the article's life, whatever becomes of the address.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from shared.contract.addresses import checked_url
from shared.contract.copy_rules import SLUG, Address

#: How many an article may have, whoever named them.
MAX_SOURCES = 8
#: Short enough that an update's id can begin with it.
MAX_NAME = 32

Kind = Literal["feed", "ninjs", "superdesk", "guardian", "http"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Provenance = Literal["human", "wire", "automated"]
PROVENANCES: tuple[Provenance, ...] = get_args(Provenance)
#: Documents that are fetched; an updater (`http`) is asked instead, and told how things stand.
DOCUMENTS: frozenset[Kind] = frozenset(KINDS) - {"http"}


def _callable(value: str) -> str:
    try:
        checked_url(value, field="", anywhere=True)
    except ValueError as error:
        raise ValueError(str(error).strip()) from None
    return value


Name = Annotated[str, StringConstraints(pattern=SLUG, max_length=MAX_NAME)]
#: Whether http or another port will do is seen when it is called: that takes an address that
#: the operator lets be called.
SourceUrl = Annotated[Address, AfterValidator(_callable)]


class Source(BaseModel):
    """One of them; an address alone is a feed. One without a name is given one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    name: Name
    kind: Kind = "feed"
    url: SourceUrl
    provenance: Provenance | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        given = {"url": given} if isinstance(given, str) else given
        if not isinstance(given, dict) or given.get("name") is not None:
            return given
        return {**given, "name": named(given.get("kind", "feed"), given.get("url"))}

    @property
    def origin(self) -> Provenance:
        """Who wrote its updates, unless it says otherwise itself."""
        return self.provenance or ("automated" if self.kind == "http" else "wire")

    @property
    def uri(self) -> str:
        """The `source` of the events that are filed for it."""
        return f"/sources/{self.name}"


def named(kind: object, url: object) -> str:
    """Return the name of a source that was given none; what is wrong with both, others say."""
    mark = hashlib.sha256(str(url).encode("utf-8", "replace")).hexdigest()[:8]
    return f"{kind if kind in KINDS else 'source'}-{mark}"


def _each_once(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"has two sources named {name}; give each a name of its own")
    return sources


Pull = Annotated[
    tuple[Source, ...], Field(max_length=MAX_SOURCES, strict=False), AfterValidator(_each_once)
]
