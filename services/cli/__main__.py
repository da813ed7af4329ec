"""The `writethru` command: one module a subcommand, and every failure one line.

Only the module of the command that was asked for is imported, so that each starts as fast as
what it needs; the list of commands reads what they say of themselves and imports none.
"""

from __future__ import annotations

from shared.runtime import lean  # first: see there

# isort: split
import os
import re
import signal
import sys
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from traceback import extract_tb
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from services.cli.failure import Failure

#: Every subcommand, by the heading it stands under in the help.
COMMANDS = {
    "Run the stack": ("demo", "up", "ingest", "render", "deliver", "acl", "assemble"),
    "File and read": ("publish", "page", "diff", "watch", "fold"),
    "Say who may publish": ("keys",),
    "Look at what waits": ("held", "quarantine"),
    "Bring in and tell others": ("sources", "subscriptions"),
    "See how it is": ("status", "doctor"),
    "Check what is stored": ("verify", "rebuild", "redact"),
    "Keep and move": ("archive", "export", "import"),
}
INTERRUPTED = 130
#: What a command's module says of it, for the list of commands.
SUMMARY = re.compile(r'^def (?:command|overview)\(.*?"""(.+?)"""', re.DOTALL | re.MULTILINE)
EPILOG = "./writethru test runs the test suite; further words go to pytest."


def main() -> None:
    """Run the command that the arguments name, and end the process with its status."""
    try:
        # The wrapper holds a Ctrl-C back until here, where it is no traceback.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(max(status, flush()))


def run(words: list[str]) -> int:
    """Run the command that *words* name and return its exit status."""
    first = next((word for word in words if word != "--"), None)
    name = first if first in _names() else None
    try:
        app = _app(name)
        if name:
            lean.settled()
        return app(words or ["--help"], prog_name="writethru", standalone_mode=False) or 0
    except Failure as failure:
        return complain(name, str(failure), failure.status)
    except typer.TyperException as wrong:
        message = wrong.format_message().rstrip(".")
        command = " ".join(filter(None, ["writethru", name]))
        return complain(name, f"{message}; see {command} --help", wrong.exit_code)
    except Exception as error:  # noqa: BLE001 -- a traceback helps nobody who runs a newsroom
        at = extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}: {error}"
        return complain(name, f"this is a fault of writethru, please report it: {what}", 1)


def complain(name: str | None, line: str, status: int) -> int:
    """Print the failure of command *name* as one line on standard error."""
    prefix = " ".join(filter(None, ["writethru", name]))
    print(f"{prefix}: {' '.join(line.split())}", file=sys.stderr)
    return status


def flush() -> int:
    """Write out what is still buffered; a reader that has gone, as `head` does, is no news."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


class _Group(TyperGroup):
    def get_help_option(self, ctx: Any) -> Any:
        return _without_type(super().get_help_option(ctx))


class _Command(TyperCommand):
    def get_help_option(self, ctx: Any) -> Any:
        return _without_type(super().get_help_option(ctx))


def _without_type(flag: Any) -> Any:
    """Let the help show a flag as one, without `<bool>`."""
    flag.metavar = ""
    return flag


def _names() -> set[str]:
    return {name for names in COMMANDS.values() for name in names}


def _app(only: str | None) -> typer.Typer:
    app = _group()
    app.callback(epilog=EPILOG)(overview)
    for heading, names in COMMANDS.items():
        for name in names:
            if only is None:
                app.command(name, help=_summary(name), rich_help_panel=heading)(overview)
            elif only == name:
                _add(app, name, heading)
    return app


def _summary(name: str) -> str:
    """Return what the command *name* says of itself, without importing what it needs."""
    source = Path(__file__).with_name(f"{_module(name)}.py").read_text(encoding="utf-8")
    found = SUMMARY.search(source)
    return found[1] if found else ""


def _module(name: str) -> str:
    return f"{name}_" if iskeyword(name) else name


def _group() -> typer.Typer:
    return typer.Typer(
        cls=_Group,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _add(app: typer.Typer, name: str, heading: str) -> None:
    """Add the command *name*; its module has either a `command`, or an `overview` and `ACTIONS`."""
    module = import_module(f"services.cli.{_module(name)}")
    if not hasattr(module, "ACTIONS"):
        app.command(name, cls=_Command, rich_help_panel=heading)(module.command)
        return
    group = _group()
    alone = getattr(module, "ALONE", False)
    group.callback(invoke_without_command=alone)(module.overview)
    for action, function in module.ACTIONS.items():
        group.command(action, cls=_Command)(function)
    app.add_typer(group, name=name, rich_help_panel=heading)


def overview() -> None:
    """Live articles: newsroom systems file events, readers have the article as it now stands.

    To see it work: writethru demo
    """


if __name__ == "__main__":
    main()
