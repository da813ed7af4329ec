"""A newsroom's own templates and styles, from a folder, tried before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.article.formats.dressing import MisfitError, dress
from shared.article.formats.trial import try_on
from shared.runtime.settings import SettingsError

MOST_FILES = 200
MOST_BYTES = 4 * 1024 * 1024


def dress_from(folder: Path | None) -> None:
    """Make pages of what is in *folder* where it has something; of ours alone without one.

    Raises:
        SettingsError: a file is not right; says which, where, and what to do.
    """
    try:
        dress(_read(folder) if folder else {})
        if folder:
            try_on()
    except MisfitError as error:
        raise SettingsError(f"WRITETHRU_TEMPLATES: {error}") from None
    except OSError as error:
        where = error.filename or folder
        raise SettingsError(
            f"WRITETHRU_TEMPLATES: {where} can't be read ({error.strerror})"
        ) from None


def _read(folder: Path) -> Mapping[str, bytes]:
    if not folder.is_dir():
        raise MisfitError(f"{folder} is no folder")
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.name != "README.md"
    ]
    if len(found) > MOST_FILES or sum(path.stat().st_size for path in found) > MOST_BYTES:
        raise MisfitError(f"{folder} has more than {MOST_FILES} files, or {MOST_BYTES} bytes")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
