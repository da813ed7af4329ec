"""What an event can say: one model a type, named as on the wire.

A model holds an event's `data`, checked: text is NFC, unknown fields are refused so that a typo
fails loudly. A field that was not sent is told apart from one sent as null by
`model_fields_set`; a writethru and a revision depend on that.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from shared.article.dates import known_locale, known_zone, parse_rfc3339
from shared.contract.copy_rules import Address, Copy, OneLine, Text, UpdateId
from shared.contract.desk import Check, Level
from shared.contract.sources import Provenance, Pull


def _zone(name: str) -> str:
    if not known_zone(name):
        raise ValueError('must be an IANA time zone, such as "Europe/London"')
    return name


def _locale(tag: str) -> str:
    if not known_locale(tag):
        raise ValueError('must be a language tag with known formats, such as "en-GB"')
    return tag


def _time(value: str) -> str:
    parse_rfc3339(value)
    return value


Zone = Annotated[str, Field(max_length=64), AfterValidator(_zone)]
Locale = Annotated[str, Field(max_length=35), AfterValidator(_locale)]
Time = Annotated[str, AfterValidator(_time)]
#: A day is the longest cadence that a page could promise and a reader remember.
Cadence = Annotated[int, Field(ge=1, le=86_400)]
Order = Literal["oldest-first", "newest-first"]


class _Data(BaseModel):
    """Frozen, strict, and silent about its input: copy must not reach a log by an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        defer_build=True,  # only who takes events in needs more of a model than its name
    )


class Source(_Data):
    """What a citation such as ``[8]`` points to."""

    n: Annotated[int, Field(ge=0, le=9_999)]
    url: Address
    title: OneLine | None = None


class Image(_Data):
    """A picture by address; *alt* is for those who can't see it, so it is required."""

    url: Address
    alt: Text
    credit: OneLine | None = None


#: An image or its address alone. The tags tell pydantic which rules to report on.
ADDRESS, OBJECT = "<address>", "<object>"
Picture = Annotated[
    Annotated[Image, Tag(OBJECT)] | Annotated[Address, Tag(ADDRESS)],
    Discriminator(lambda value: ADDRESS if isinstance(value, str) else OBJECT),
]
OneLines = Annotated[tuple[OneLine, ...], Field(max_length=100, strict=False)]
Sources = Annotated[tuple[Source, ...], Field(max_length=200, strict=False)]
Images = Annotated[tuple[Image, ...], Field(max_length=50, strict=False)]


class _Article(_Data):
    """The optional facts of an article; a writethru may replace each."""

    published_at: Time | None = None
    timezone: Zone | None = None
    locale: Locale | None = None
    cadence_seconds: Cadence | None = None
    section: OneLine | None = None
    tags: OneLines | None = None
    authors: OneLines | None = None
    summary: Copy | None = None
    image: Picture | None = None
    canonical_url: Address | None = None
    update_order: Order | None = None
    embargo_until: Time | None = None
    checks: dict[Check, Level] | None = None
    pull: Pull | None = None


class Published(_Article):
    """Opens the article."""

    wire: ClassVar = "writethru.article.published"
    headline: OneLine
    body: Text


class Writethru(_Article):
    """The copy is replaced; a field that was not sent stays, null clears an optional one."""

    wire: ClassVar = "writethru.article.writethru"
    headline: OneLine = ""
    body: Text = ""
    note: OneLine | None = None


class Closed(_Data):
    """Coverage ends."""

    wire: ClassVar = "writethru.article.closed"
    note: OneLine | None = None


class Reopened(_Data):
    """Coverage resumes."""

    wire: ClassVar = "writethru.article.reopened"
    note: OneLine | None = None


class Killed(_Data):
    """Mandatory kill: the article is gone from every exit, for good."""

    wire: ClassVar = "writethru.article.killed"
    note: OneLine


class Posted(_Data):
    """A new update. Without *update_id* the event's id is its name."""

    wire: ClassVar = "writethru.update.posted"
    text: Copy
    update_id: UpdateId | None = None
    headline: OneLine | None = None
    authors: OneLines | None = None
    sources: Sources | None = None
    images: Images | None = None
    key_event: bool | None = None
    urgency: Annotated[int, Field(ge=1, le=9)] | None = None
    provenance: Provenance | None = None
    embargo_until: Time | None = None


class Revised(_Data):
    """A silent edit, of a typo say: no note, and `Updated` doesn't move."""

    wire: ClassVar = "writethru.update.revised"
    update_id: UpdateId
    text: Copy = ""
    headline: OneLine | None = None
    authors: OneLines | None = None
    sources: Sources | None = None
    images: Images | None = None
    key_event: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Revised:
        if len(self.model_fields_set) < 2:
            raise ValueError("revises nothing; send the field that changes")
        return self


class Corrected(_Data):
    """The text was wrong. Readers are shown *note*, so it is required."""

    wire: ClassVar = "writethru.update.corrected"
    update_id: UpdateId
    text: Copy
    sources: Sources | None = None
    note: OneLine


class Retracted(_Data):
    """The text is gone from every exit; *note* stays in its place."""

    wire: ClassVar = "writethru.update.retracted"
    update_id: UpdateId
    note: OneLine


class Pinned(_Data):
    """The update stands first; at most one does."""

    wire: ClassVar = "writethru.update.pinned"
    update_id: UpdateId


class Unpinned(_Data):
    """The update goes back to its place; unpinning another changes nothing."""

    wire: ClassVar = "writethru.update.unpinned"
    update_id: UpdateId


class Redacted(Retracted):
    """Retracted, and the text destroyed wherever it is held."""

    wire: ClassVar = "writethru.update.redacted"


Act = (
    Published | Writethru | Closed | Reopened | Killed
    | Posted | Revised | Corrected | Retracted | Pinned | Unpinned | Redacted
)  # fmt: skip

#: The table of contents of the protocol: wire name → what its `data` must be.
ACTS: dict[str, type[Act]] = {
    act.wire: act
    for act in (
        Published, Writethru, Closed, Reopened, Killed,
        Posted, Revised, Corrected, Retracted, Pinned, Unpinned, Redacted,
    )
}  # fmt: skip
