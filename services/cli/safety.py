"""Who could reach what they should not, and what could end the engine: looked at, and judged."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.cli.finding import Finding, Level, size, unseen
from shared.article.fold import FOLD_REVISION
from shared.runtime.default_user import DefaultUser, judge, read_default_user
from shared.runtime.keys import LANES
from shared.runtime.lanes import Lanes
from shared.runtime.redis import primaries
from shared.runtime.settings import PREFIX

SHOWN = 3
_OTHERS_READ = 0o004
#: Version 1 of cgroups says this much, or somewhat less, for no limit.
_NO_LIMIT = 2**60


@dataclass(frozen=True, slots=True)
class Safety:
    """What was found.

    *limit* is what the kernel gives our own engine at most, *loose* are files that everybody on
    this machine may read, *revision* the newest fold that stored any of the newest articles.
    """

    user: DefaultUser | None = None
    used: int = 0
    maxmemory: int = 0
    limit: int | None = None
    loose: Sequence[Path] = ()
    revision: int = 0


async def read_safety(redis: Redis, data_dir: Path | None) -> Safety:
    """Look at all of it; nothing is changed."""
    servers = await primaries(redis)
    try:
        info: Any = await servers[0].info()
    except RedisError:
        info = {}
    return Safety(
        user=_worst([await read_default_user(server) for server in servers]),
        used=int(info.get("used_memory", 0)),
        maxmemory=int(info.get("maxmemory", 0)),
        limit=memory_limit(info.get("process_id")) if data_dir else None,
        loose=[path for path in _secret(os.environ, data_dir) if is_loose(path)],
        revision=await _revision(redis),
    )


def _worst(users: Sequence[DefaultUser | None]) -> DefaultUser | None:
    """Return the one of all servers that matters."""
    return next((user for user in users if user is None or judge(user).level != "ok"), users[0])


def safety_findings(found: Safety) -> Iterator[Finding]:
    """Judge it."""
    yield _default_user(found)
    yield from _limit(found)
    yield _files(found)
    yield _writethru(found)


def _default_user(found: Safety) -> Finding:
    if found.user is None:
        return unseen("users", "about its user `default`", "ACL GETUSER", "off or has a password")
    verdict = judge(found.user)
    return Finding(verdict.level, "users", verdict.detail, verdict.remedy)


def _limit(found: Safety) -> Iterator[Finding]:
    """The engine takes up to twice as much while it writes its file anew."""
    if found.limit is None:
        return
    most = found.maxmemory or found.used
    said = f"its maxmemory is {size(most)}" if found.maxmemory else f"it uses {size(most)}"
    detail = f"the kernel ends what runs here at {size(found.limit)}; of the engine, {said}"
    if most * 2 <= found.limit:
        yield Finding("ok", "limit", detail)
        return
    level: Level = "error" if most >= found.limit else "warning"
    yield Finding(level, "limit", detail, "give it twice that, or the engine a lower maxmemory")


def _files(found: Safety) -> Finding:
    if not found.loose:
        return Finding("ok", "files", "what is secret is readable by its owner alone")
    named = ", ".join(map(str, found.loose[:SHOWN]))
    more = f" and {len(found.loose) - SHOWN} more" if len(found.loose) > SHOWN else ""
    detail = f"everybody on this machine may read {named}{more}"
    return Finding("warning", "files", detail, f"chmod o-rwx {found.loose[0]}")


def _writethru(found: Safety) -> Finding:
    if found.revision > FOLD_REVISION:
        detail = f"articles were folded by revision {found.revision}; this one is {FOLD_REVISION}"
        return Finding("error", "writethru", detail, "use the newer writethru")
    python = platform.python_version()
    return Finding("ok", "writethru", f"fold revision {FOLD_REVISION}, on Python {python}")


def is_loose(path: Path) -> bool:
    """Whether *path* is there, and everybody may read it: no folder above it keeps them out."""
    try:
        open_ = path.stat().st_mode & _OTHERS_READ
        shut = any(not each.stat().st_mode & 0o001 for each in path.absolute().parents)
    except OSError:
        return False
    return bool(open_) and not shut


def _secret(environ: Mapping[str, str], data_dir: Path | None) -> Iterator[Path]:
    """Yield the files of settings, and the folder of the engine's data."""
    for name, value in environ.items():
        if name.startswith(PREFIX) and name.endswith("_FILE"):
            yield Path(value)
    if data_dir is not None:
        yield data_dir


def memory_limit(
    pid: object, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Return the least that any of the groups of the process *pid* gives it; None if none does."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return None
    limits: list[int] = []
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if not controllers:
            limits += _limits(cgroup, place, "memory.max")
        elif "memory" in controllers.split(","):
            limits += _limits(cgroup / "memory", place, "memory.limit_in_bytes")
    return min(limits, default=None)


def _limits(root: Path, place: str, name: str) -> Iterator[int]:
    """Yield the limits of the group *place* and of those above it."""
    here = root / place.lstrip("/")
    for folder in (here, *here.parents):
        try:
            said = (folder / name).read_text().strip()
        except OSError:
            said = "max"
        if said.isdigit() and int(said) < _NO_LIMIT:
            yield int(said)
        if folder == root:
            return


async def _revision(redis: Redis) -> int:
    """Return the newest revision among the newest articles of all lanes."""
    try:
        tags: Any = await redis.lrange(LANES, 0, -1)
        found = [0]
        for lane in Lanes(tuple(tag.decode() for tag in tags)) if tags else ():
            newest: Any = await redis.zrevrange(lane.latest, 0, 0)
            for slug in newest:
                keys = lane.article(slug.decode())
                found.append(int(await redis.hget(keys.article, "rev") or 0))
        return max(found)
    except RedisError:
        return 0
