"""Chaos that finds nothing proves something only if it finds what is there to be found.

This is a bug that it finds within seconds; the whole score is a command.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.chaos.mutants.score import hunt

SECONDS = 60.0

APPLY_EACH = """
import os
from services.ingest.append import APPEND
from shared.runtime.scripts import Script
from tests.chaos.mutants.bugs import _OF, MUTANTS, infect

for name in MUTANTS:
    if not (child := os.fork()):
        infect(name, list(_OF))
        for package, names in {
            "services.ingest": [APPEND], "services.render": [["commit.lua"], ["withdraw.lua"]]
        }.items():
            for files in names:
                Script(package, *files, pipe=None)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(name)
"""


def test_every_seeded_bug_still_fits_the_code_that_it_is_put_into(pytestconfig):
    done = subprocess.run(
        [sys.executable, "-c", APPLY_EACH],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "", done.stderr


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_a_seeded_bug_is_found_by_the_promise_that_it_breaks(tmp_path):
    found = hunt("ack first", SECONDS, 3, tmp_path)

    assert found.rule == "I5", found
