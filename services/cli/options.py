"""What options and environment say together: the settings that a command runs with."""

from __future__ import annotations

import os
from collections.abc import Mapping

from services.cli.failure import WRONG_SETTING, Failure
from shared.runtime.settings import PREFIX, Listen, Settings, SettingsError


def settings(**options: str | None) -> Settings:
    """Return the settings of the environment, but where *options* name one of their fields.

    Raises:
        Failure: a setting is wrong.
    """
    environ = dict(os.environ)
    for field, value in options.items():
        if value is not None:
            environ.pop(f"{_name(field)}_FILE", None)
            environ[_name(field)] = value
    try:
        return Settings.from_env(environ)
    except SettingsError as error:
        raise Failure(str(error), WRONG_SETTING) from None


def is_set(field: str) -> bool:
    """Whether the environment sets *field* of the settings, itself or by a file."""
    return _name(field) in os.environ or f"{_name(field)}_FILE" in os.environ


def environment(settings: Settings) -> Mapping[str, str]:
    """Return the environment in which a service runs with *settings*."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    values = {field: getattr(settings, field) for field in Settings.model_fields}
    said = {_name(field): _text(value) for field, value in values.items() if value is not None}
    # Of this one, None is no default: nothing is checked.
    return own | said | ({} if settings.checks else {_name("checks"): "off"})


def address(listen: Listen) -> str:
    """Return where a service that listens there is reached from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104
    return f"http://{listening(host, listen.port)}"


def listening(host: str, port: int) -> str:
    """Return *host* and *port* as a setting says them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _name(field: str) -> str:
    return PREFIX + field.upper()


def _text(value: object) -> str:
    if isinstance(value, Listen):
        return listening(value.host, value.port)
    if isinstance(value, Mapping):
        sign = ":" if value and isinstance(next(iter(value.values())), float) else "="
        return ",".join(f"{name}{sign}{level}" for name, level in value.items())
    if isinstance(value, tuple | frozenset):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
