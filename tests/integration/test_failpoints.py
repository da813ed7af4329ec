"""A process dies where it is told to, and says where; without the setting nobody dies."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from shared.runtime.failpoints import POINTS

PASSING = """
from shared.runtime import log
from shared.runtime.failpoints import arm, failpoint
log.configure("render", "info")
arm({points!r})
for _ in range(1_000):
    failpoint("render.before_commit")
print("came through")
"""


def passed(points: dict[str, float]) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", PASSING.format(points=points)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_it_dies_as_by_kill_9_and_the_last_line_of_its_log_says_where():
    done = passed({"render.before_commit": 0.5})

    assert (done.returncode, done.stdout) == (-9, "")
    first, *_, last = done.stderr.splitlines()
    assert '"event":"failpoints.armed"' in first
    assert '"point":"render.before_commit","event":"failpoint.reached"' in last


@pytest.mark.parametrize("points", [{}, {"ingest.after_append": 1.0}])
def test_it_lives_on_where_nothing_is_armed(points):
    assert passed(points).stdout == "came through\n"


def test_every_place_is_passed_somewhere_in_the_code_and_none_that_has_no_name(pytestconfig):
    sources = (pytestconfig.rootpath / "services").rglob("*.py")
    named = re.findall(r'failpoint\("([\w.]+)"\)', "".join(path.read_text() for path in sources))

    assert sorted(named) == sorted(POINTS)
