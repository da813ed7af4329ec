"""`tests/compose/run`: the compose file on a real Docker, from the first build to a restore.

After the story of one engine comes that of a cluster. `short`, for CI, ends when all was killed.
"""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.compose import cluster, story
from tests.compose.docker import CantRun, Docker, StepFailed, a_docker, a_project

ROOT = Path(__file__).parents[2]


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    try:
        with ExitStack() as stack:
            environ = stack.enter_context(a_docker())
            folder = stack.enter_context(a_project(ROOT))
            docker = stack.enter_context(Docker.of(folder, environ))
            short = sys.argv[1:] == ["short"]
            story.tell(docker, short=short)
            if not short:
                cluster.tell(docker)
    except CantRun as error:
        print(f"tests/compose/run: {error}", file=sys.stderr)
        return 1
    except (StepFailed, AssertionError) as error:
        print(f"tests/compose/run: FAILED: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
