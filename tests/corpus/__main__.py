"""`python -m tests.corpus`: put the figures into docs/checks.md; say what is wrong in them."""

from __future__ import annotations

from tests.corpus.measuring import PAGE, alarms, faulty, found_in, renewed


def main() -> None:
    for alarm in alarms():
        print(f"false: line {alarm.line}, {alarm.finding.check}: {alarm.finding.detail}")
    for row in faulty():
        if row["check"] not in {finding.check for finding in found_in(row)}:
            print(f"missed: {row['check']}: {row['text'][:80]}")
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
