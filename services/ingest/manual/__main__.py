"""`python -m services.ingest.manual`: writes `openapi.json` and `asyncapi.json` into a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from services.ingest.manual import asyncapi, openapi

DOCUMENTS = {"openapi.json": openapi.document, "asyncapi.json": asyncapi.document}


def texts() -> dict[str, bytes]:
    """Return the documents as they are written, by their file's names."""
    pretty = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return {name: orjson.dumps(document(), option=pretty) for name, document in DOCUMENTS.items()}


def main(words: list[str]) -> None:
    """Write them into the folder that is named, `docs` if none is."""
    folder = Path(*words[:1] or ["docs"])
    for name, text in texts().items():
        (folder / name).write_bytes(text)


if __name__ == "__main__":
    main(sys.argv[1:])
