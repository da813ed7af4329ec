"""What somebody asks of subscriptions, as JSON: one model a request, each field with its remedy."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from services.deliver.core.subscription import KINDS
from services.deliver.webhooks.subscribing import Wish
from shared.contract.copy_rules import OneLine, Slug
from shared.contract.errors import FieldError, InvalidEvent, Refused
from shared.contract.signing import secret_of

MAX_BYTES = 16 * 1024
MAX_PATTERNS = 50
MAX_GRACE = timedelta(days=7)

_PATTERN = re.compile(r"[a-z0-9*?\[\]!-]{1,128}")
_PREFIX = "writethru."
_SHORT = {"overdue": "article.overdue"}


def _pattern(value: str) -> str:
    if not _PATTERN.fullmatch(value):
        raise ValueError("must be a slug or a pattern of slugs, such as election-*")
    return value


def checked_kind(value: str) -> str:
    """Return *value* as events are called on the wire; ``update.posted`` is short for that.

    Raises:
        ValueError: there is no such kind.
    """
    kind = value if value.startswith(_PREFIX) else _PREFIX + _SHORT.get(value, value)
    if kind not in KINDS:
        raise ValueError(f"must be a type of event: {', '.join(KINDS)}")
    return kind


def _secret(value: str) -> str:
    secret_of(value)
    return value


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


Pattern = Annotated[str, AfterValidator(_pattern)]
Kind = Annotated[str, AfterValidator(checked_kind)]
Name = Annotated[str, Field(max_length=128), AfterValidator(lambda text: text.strip())]
_T = TypeVar("_T")
Some = Annotated[list[_T], Field(max_length=MAX_PATTERNS)]


class NewSubscription(_Form):
    """A subscription to be made. Whether *url* may be called is seen where calls are made."""

    url: Annotated[str, Field(max_length=2_048)]
    name: Annotated[OneLine, Field(max_length=128)] | None = None
    articles: Annotated[list[Pattern], Field(min_length=1, max_length=MAX_PATTERNS)] | None = None
    sections: Some[OneLine] = []
    tags: Some[OneLine] = []
    kinds: Some[Kind] = []
    payload: Literal["thin", "full"] = "thin"
    secret: Annotated[str, Field(max_length=128), AfterValidator(_secret)] | None = None

    def wish(self, articles: tuple[str, ...]) -> Wish:
        """Return it as it is kept; *articles* stand for those that it doesn't name."""
        return Wish(
            self.url,
            self.name or "",
            tuple(self.articles) if self.articles is not None else articles,
            tuple(self.sections),
            tuple(self.tags),
            tuple(self.kinds),
            self.payload,
            secret_of(self.secret) if self.secret else None,
        )


class Replay(_Form):
    """From which version on to be told again: of one *article*, or of all that it is about."""

    article: Slug | None = None
    start: Annotated[int, Field(ge=0, le=10**12, alias="from")] = 0


class Rotation(_Form):
    """For how many seconds the secret before goes on."""

    grace_seconds: Annotated[int, Field(ge=0, le=int(MAX_GRACE.total_seconds()))] = 86_400


class DeadReplay(_Form):
    """Which messages that were given up to send again, by their `webhook-id`; all if left out."""

    ids: Annotated[list[str], Field(min_length=1, max_length=1_000)] | None = None


FormT = TypeVar("FormT", bound=_Form)


def read(form: type[FormT], body: bytes) -> FormT:
    """Return what *body* asks for; an empty one asks for the defaults.

    Raises:
        Refused: as `malformed`, it is no JSON object.
        InvalidEvent: a field is wrong; each with its JSON pointer and the remedy.
    """
    try:
        document: Any = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError:
        raise Refused("malformed", "The body is not JSON; send an object.") from None
    if not isinstance(document, dict):
        raise Refused("malformed", "The body must be a JSON object.")
    return checked(form, document)


def checked(form: type[FormT], document: dict[str, Any]) -> FormT:
    """Return *document* as a *form*. Raises InvalidEvent as `read`."""
    try:
        return form.model_validate(document)
    except ValidationError as error:
        raise wrong(*(_field_error(item) for item in error.errors(include_url=False))) from None


def wrong(*errors: FieldError) -> InvalidEvent:
    """Return what is said of fields that are wrong."""
    return InvalidEvent(errors, f"{errors[0].pointer or 'The request'}: {errors[0].detail}.")


def _field_error(item: Any) -> FieldError:
    pointer = "".join(f"/{part}" for part in item["loc"])
    said = str(item["msg"]).removeprefix("Value error, ").rstrip(".")
    match item["type"]:
        case "missing":
            said = "is missing; send it"
        case "extra_forbidden":
            said = "is no field here; remove it, or mend its name"
    return FieldError(pointer, said)
