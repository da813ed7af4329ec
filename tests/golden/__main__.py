"""`python -m tests.golden`: make the pages anew, and say which are others than before.

The stored form of a ledger is made where there is none; one that is there is never overwritten.
"""

from __future__ import annotations

import sys

from shared.article.fold import FOLD_REVISION
from tests.golden.pages import expected, ledgers, pages, strays
from tests.golden.stored import REMEDY, made


def main() -> int:
    for stray in list(strays()):
        stray.unlink()
        sys.stdout.write(f"removed {stray.name}\n")
    for ledger in ledgers():
        for ending, page in pages(ledger).items():
            path = expected(ledger, ending)
            before = path.read_bytes() if path.exists() else None
            if before != page.encode():
                path.write_bytes(page.encode())
                sys.stdout.write(f"{'made' if before is None else 'changed'} {path.name}\n")
    return _store()


def _store() -> int:
    for path, data in made():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            sys.stdout.write(f"made stored/{path.parent.name}/{path.name}\n")
        elif path.read_bytes() != data:
            sys.stderr.write(f"{path.name}: {REMEDY.format(revision=FOLD_REVISION)}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
