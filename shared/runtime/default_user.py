"""The engine's user `default`: who may come in as it, and whether it has what the engine needs."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

_LOOPBACK = {"127.0.0.1", "::1", "-::1", "localhost"}
#: Off, without a password, and with all of its rights: the engine replays its file as this user.
SHUT = "ACL SETUSER default off resetpass ~* &* +@all, and the same in its ACL file"
_USERS = "make users by writethru acl, then"


class DefaultUser(NamedTuple):
    """What the engine says; *local*: nobody but this machine reaches it; None: it doesn't say."""

    enabled: bool
    nopass: bool
    everything: bool
    local: bool | None = None
    valkey: bool = False


class Verdict(NamedTuple):
    """How it is, and what to do unless it is well."""

    level: Literal["ok", "warning", "error"]
    detail: str
    remedy: str = ""


async def read_default_user(redis: Redis) -> DefaultUser | None:
    """Ask the engine; None if it does not tell us."""
    try:
        user: Any = await redis.acl_getuser("default")
        info: Any = await redis.info("server")
    except RedisError:
        return None
    flags = {_text(flag) for flag in user["flags"]}
    nopass = "nopass" in flags
    return DefaultUser(
        enabled="on" in flags,
        nopass=nopass,
        everything=_everything(user),
        local=await _local(redis, nopass=nopass),
        valkey="valkey_version" in info,
    )


def judge(user: DefaultUser) -> Verdict:
    """Say whether anybody can come in who should not, and whether the engine can start again."""
    if not user.enabled:
        return _off(user)
    if user.local:
        return Verdict("ok", "whoever is on this machine comes in as `default`, and nobody else")
    if user.nopass:
        detail = "whoever reaches the engine may do everything: `default` is on and has no password"
        return Verdict("error" if user.local is False else "warning", detail, f"{_USERS} {SHUT}")
    if user.everything:
        detail = "one password opens everything: `default` is on, with rights beyond any need"
        return Verdict("warning", detail, f"{_USERS} {SHUT}")
    return Verdict("ok", "`default` has a password and no more rights than it was given")


def _off(user: DefaultUser) -> Verdict:
    if user.everything or user.valkey:
        return Verdict("ok", "nobody comes in as `default`")
    return Verdict(
        "error",
        "`default` is off and has lost its rights: Redis replays its file as this user, so its "
        "next start leaves out what scripts wrote, which is every event",
        SHUT,
    )


def _everything(user: Any) -> bool:
    """Whether it may run every command on every key, which a replay needs."""
    rules = {_text(rule) for rule in (*user["commands"], *user["categories"])}
    keys = user["keys"]
    patterns = {keys} if isinstance(keys, str | bytes) else set(keys)
    return rules == {"+@all"} and "~*" in {_text(each) for each in patterns}


async def _local(redis: Redis, *, nopass: bool) -> bool | None:
    try:
        found: Any = await redis.config_get("bind", "protected-mode")
    except RedisError:
        return None
    said = {_text(name): _text(value) for name, value in found.items()}
    if set(said.get("bind", "*").split()) <= _LOOPBACK:
        return True
    return nopass and said.get("protected-mode") == "yes"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
