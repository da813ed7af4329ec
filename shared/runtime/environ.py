"""Our names in the environment, and what they say: by themselves, or in a file that they name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from pathlib import Path

PREFIX = "WRITETHRU_"

#: Kubernetes injects these for services called writethru-…; a port as a mere number is no link.
_SERVICE_LINK = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)=.*"
    r"|\w+_PORT=(tcp|udp|sctp)://.*",
    re.DOTALL,
)


def read(environ: Mapping[str, str], fields: Collection[str]) -> dict[str, str]:
    """Return what *environ* says of each of *fields* that it names.

    Raises:
        ValueError: an unknown name, one said twice, an unreadable file.
    """
    values: dict[str, str] = {}
    for name, value in environ.items():
        if name.startswith(PREFIX) and not _SERVICE_LINK.fullmatch(f"{name}={value}"):
            field = _field(name, fields)
            if field in values:
                both = f"{PREFIX}{field.upper()} and {PREFIX}{field.upper()}_FILE"
                raise ValueError(f"{both} are both set; set one of them")
            values[field] = value if _is_name(name, field) else _from_file(name, value)
    return values


def _is_name(name: str, field: str) -> bool:
    return name == PREFIX + field.upper()


def _field(name: str, fields: Collection[str]) -> str:
    whole = name.removeprefix(PREFIX).lower()
    for field in (whole, whole.removesuffix("_file")):
        if field in fields:
            return field
    known = [PREFIX + field.upper() for field in fields]
    near = difflib.get_close_matches(name, known, 1, 0.0)[0]
    raise ValueError(f"{name} is no setting; the nearest is {near}")


def _from_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError as error:
        raise ValueError(f"{name}: {path} can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}: {path} is not UTF-8 text") from None
