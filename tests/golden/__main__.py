"""`python -m tests.golden`: make the pages anew, and say which are others than before."""

from __future__ import annotations

import sys

from tests.golden.pages import expected, ledgers, pages, strays


def main() -> None:
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


if __name__ == "__main__":
    main()
