"""`python -m services.render`: one renderer in the foreground."""

from __future__ import annotations

from shared.runtime import lean  # first: see there

# isort: split
import asyncio
import os
import sys

import uvloop
from redis.exceptions import RedisError

from services.render.app import EXIT_FAULT, create_app
from shared.runtime import log, traces
from shared.runtime.failpoints import arm
from shared.runtime.settings import Settings, SettingsError

EXIT_SETTING = 78


def main() -> int:
    """Return the exit status: 0 when told to stop, 78 for a wrong setting, 75 for a dead part."""
    try:
        settings = Settings.from_env(os.environ)
        log.configure("render", settings.log_level)
        traces.configure("render", os.environ)
        arm(settings.fail or {})
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            lean.settled()
            return runner.run(create_app(settings).run())
    except SettingsError as error:
        return _say(error, EXIT_SETTING)
    except (RedisError, TimeoutError) as error:
        return _say(error, EXIT_FAULT)


def _say(error: Exception, status: int) -> int:
    sys.stderr.write(f"writethru render: {error}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
