"""What an operator may set: `WRITETHRU_…` in the environment, checked before anything starts.

Each setting may also come from a file, `WRITETHRU_…_FILE`, so that secrets stay out of the
environment. A name that nobody knows stops the start: a misspelt setting must not be silent.
A setting whose own name ends with `_FILE` is the path of a file that is used as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from shared.contract.addresses import PORTS, Network, in_ascii
from shared.contract.desk import DEFAULTS, Check, Level, parse_levels
from shared.contract.durability import Durability
from shared.runtime.engine_url import parse_engine_url
from shared.runtime.environ import PREFIX as PREFIX
from shared.runtime.environ import read
from shared.runtime.failpoints import parse_points
from shared.runtime.setting_forms import as_networks, as_origins, as_ports, as_urls
from shared.runtime.tls import check_ca, check_pair, with_tls

if TYPE_CHECKING:
    from shared.runtime.archive import Archive
    from shared.runtime.dialing import Rules

SHORTEST_KEY = 32

_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
#: Hosts that only this machine can reach.
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


class SettingsError(Exception):
    """A setting is wrong; the message names it and the remedy. Exit status 78."""


class Listen(BaseModel):
    """Where a service listens."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK


class Settings(BaseModel):
    """All settings of all services, with their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    redis_url: Annotated[str, Field(pattern=r"^(rediss?(\+(sentinel|cluster))?|unix)://")] = (
        "redis://127.0.0.1:6379/0"
    )
    """The engine."""
    redis_ca_file: Path | None = None
    """Certificates that vouch for the engine's, beside the machine's own."""
    redis_cert_file: Path | None = None
    """Our certificate, for an engine that asks for one; its key too, or that is apart."""
    redis_key_file: Path | None = None
    """The key of our certificate."""
    redis_check_hostname: bool = True
    """Whether the engine's certificate must be for the host that the address names."""
    lanes: Annotated[int, Field(ge=1, le=1_024)] = 12
    """How many lanes; kept in the engine from the first start on."""
    public_url: Annotated[str, Field(pattern=r"^https?://[^/]+")] = "http://127.0.0.1:8080"
    """What links, feeds and structured data begin with."""
    durability: Durability = "fsync"
    """The level at which events are kept where neither a request nor its key asks for another."""
    ingest_listen: Listen = Listen(host="127.0.0.1", port=8000)
    """Where ingest listens, as host:port."""
    deliver_listen: Listen = Listen(host="127.0.0.1", port=8080)
    """Where deliver listens, as host:port."""
    metrics_listen: Listen | None = None
    """Where a process shows its metrics; each has a port of its own on this machine if not set."""
    no_auth: bool = False
    """Let everybody on this machine publish; only on a loopback address."""
    history: Literal["keyed", "public", "off"] = "keyed"
    """Who may read how an article stood at each version: keys that may read it, all, nobody."""
    readers: Literal["public", "keyed"] = "public"
    """Who may read at all: everybody, or keys and links that may."""
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(as_origins)] = ("*",)
    """Origins whose pages may read what deliver answers; `*` for all."""
    templates: Path | None = None
    """The folder with a newsroom's own templates and styles."""
    archive_dir: Path | None = None
    """The folder for articles that were closed long ago; if not set, none leaves the engine."""
    archive_after: Annotated[int, Field(ge=0)] = 30 * 86_400
    """How many seconds an article has to be closed to be archived; written as 30d or 12h."""
    live_readers: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """How many live readers one deliver process keeps."""
    live_readers_per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """How many of them from one public address."""
    live_life: Annotated[int, Field(ge=1, le=86_400)] = 900
    """After how many seconds a stream ends and its reader comes back, a fifth more or less."""
    checks: dict[Check, Level] | None = dict(DEFAULTS)
    """Levels of the desk's checks, as `cut-short=hold,odd-time=off`; None for no check at all."""
    purge_url: Annotated[tuple[str, ...] | None, BeforeValidator(as_urls)] = None
    """Caches to be told of changes: addresses divided by commas."""
    purge_cache: Literal["fastly", "varnish", "cloudflare"] = "varnish"
    """How these caches are told."""
    purge_token: Annotated[str | None, Field(repr=False)] = None
    """What these caches know us by."""
    outbound_allow: Annotated[tuple[Network, ...] | None, BeforeValidator(as_networks)] = None
    """Networks that may be called though they are not public, by http and any port as well."""
    outbound_ports: Annotated[
        frozenset[Annotated[int, Field(ge=1, le=65_535)]], BeforeValidator(as_ports)
    ] = PORTS
    """Ports at which public hosts may be called."""
    outbound_ca_file: Path | None = None
    """Certificates that vouch for hosts we call, beside the machine's own."""
    sealing_key: Annotated[str | None, Field(repr=False)] = None
    """What secrets of others are encrypted under, beside the installation's key."""
    max_waiting: Annotated[int, Field(ge=1)] = 50_000
    """How many accepted events may wait for a renderer before more are refused as busy."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is logged."""
    fail: dict[str, float] | None = None
    """For tests: where processes die, with which probability, as `render.before_commit:0.01`."""

    def on_own_engine(self, url: str) -> Settings:
        """Return these settings with another engine, which is on this machine and has no TLS."""
        without = {name: _default(name) for name in _FOR_TLS}
        return self.model_copy(update={"redis_url": url, **without})

    @property
    def archive(self) -> Archive | None:
        """The archive, if there is one."""
        from shared.runtime.archive import Archive  # who has none needs none of what it needs

        return Archive(self.archive_dir) if self.archive_dir else None

    @property
    def engine_url(self) -> str:
        """The engine's address, with all that its client needs."""
        files = {name: getattr(self, f"redis_{name}_file") for name in ("ca", "cert", "key")}
        return with_tls(self.redis_url, files, check_hostname=self.redis_check_hostname)

    @property
    def outbound(self) -> Rules:
        """Where calls to others may go."""
        from shared.runtime.dialing import Rules  # likewise who calls nobody

        return Rules(self.outbound_allow or (), self.outbound_ports, self.outbound_ca_file)

    @field_validator("redis_url")
    @classmethod
    def _a_url(cls, value: str) -> str:
        if not value.startswith("unix:"):
            parse_engine_url(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _before_a_path(cls, value: str) -> str:
        return in_ascii(value.rstrip("/"))

    @field_validator("checks", mode="before")
    @classmethod
    def _some_checks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return None if value.strip() == "off" else parse_levels(value)

    @field_validator("sealing_key")
    @classmethod
    def _long_enough(cls, value: str | None) -> str | None:
        if value is not None and len(value) < SHORTEST_KEY:
            raise ValueError(f"must have at least {SHORTEST_KEY} characters; use random ones")
        return value

    @field_validator("fail", mode="before")
    @classmethod
    def _points(cls, value: object) -> object:
        return parse_points(value) if isinstance(value, str) else value

    @field_validator("ingest_listen", "deliver_listen", "metrics_listen", mode="before")
    @classmethod
    def _host_and_port(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65_535:
            raise ValueError("must be host:port, such as 127.0.0.1:8000")
        return {"host": host.strip("[]"), "port": int(port)}

    @field_validator("archive_after", "live_life", mode="before")
    @classmethod
    def _seconds(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found = _DURATION.fullmatch(value)
        if not found:
            raise ValueError("must be a time such as 30d, 12h, 45m or 90s")
        return int(found[1]) * _UNITS[found[2]]

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings out of *environ*.

        Raises:
            SettingsError: an unknown name, an unreadable file, a bad value.
        """
        try:
            values = read(environ, cls.model_fields)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = PREFIX + str(first["loc"][0]).upper()
            reason = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"{name}: {reason}") from None
        settings.check_tls()
        settings.check_fail()
        return settings

    def check_fail(self) -> None:
        """See that nobody is made to die who serves more than this machine.

        Raises:
            SettingsError: places to fail are named, and the engine is elsewhere.
        """
        if not self.fail or self.redis_url.startswith("unix:"):
            return
        hosts = {host for host, _ in parse_engine_url(self.redis_url).nodes}
        if not hosts <= LOOPBACK:
            raise SettingsError(
                f"{PREFIX}FAIL is for tests, and ends processes; it is refused with an engine "
                "that is not on this machine: unset it"
            )

    def check_tls(self) -> None:
        """See that TLS to the engine is asked for by its address too, and all files are right.

        Raises:
            SettingsError: they are not.
        """
        names = [name for name in _FOR_TLS if getattr(self, name) != _default(name)]
        if names and self.redis_url.startswith(("redis:", "redis+", "unix:")):
            raise SettingsError(
                f"{PREFIX}{names[0].upper()} is for TLS, and the engine's address has none; "
                "begin WRITETHRU_REDIS_URL with rediss://"
            )
        if self.redis_key_file and not self.redis_cert_file:
            raise SettingsError(f"{PREFIX}REDIS_KEY_FILE: set {PREFIX}REDIS_CERT_FILE too")
        with _named("REDIS_CA_FILE"):
            if self.redis_ca_file:
                check_ca(self.redis_ca_file)
        with _named("OUTBOUND_CA_FILE"):
            if self.outbound_ca_file:
                check_ca(self.outbound_ca_file)
        with _named("REDIS_CERT_FILE"):
            if self.redis_cert_file:
                check_pair(self.redis_cert_file, self.redis_key_file)


_FOR_TLS = ("redis_ca_file", "redis_cert_file", "redis_key_file", "redis_check_hostname")


def _default(field: str) -> object:
    return Settings.model_fields[field].default


@contextmanager
def _named(setting: str) -> Iterator[None]:
    """Turn what is wrong with a value into what is wrong with its setting."""
    try:
        yield
    except ValueError as error:
        raise SettingsError(f"{PREFIX}{setting}: {error}") from None
