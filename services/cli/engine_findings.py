"""What is the matter with the settings and the engine, and what to do about it. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from services.cli.examination import Company, Examined
from services.cli.finding import Finding, Level, size, unseen
from shared.runtime.engine_binary import OLDEST
from shared.runtime.settings import Settings

#: From here on a clock's difference shows in the times of updates, and is somebody's mistake.
SKEW_SECONDS, GROSS_SKEW_SECONDS = 1.0, 60.0
MEMORY_SCARCE, MEMORY_GONE = 0.75, 0.9
DISK_SCARCE_BYTES = 1024**3


def engine_findings(settings: Settings, found: Examined) -> Iterator[Finding]:
    """Judge what every installation needs."""
    yield from _settings(settings)
    for same in zip(*(_server(settings, each) for each in (found, *found.others)), strict=True):
        yield from _of_all(same)
    yield from _disk(found)


def _of_all(same: Sequence[tuple[str, Finding]]) -> Iterator[Finding]:
    """Yield what is wrong with any server, and where; once that all is well, if it is."""
    wrong = [
        replace(finding, detail=f"{place}: {finding.detail}" if len(same) > 1 else finding.detail)
        for place, finding in same
        if finding.level != "ok"
    ]
    yield from wrong or [same[0][1]]


def _server(settings: Settings, found: Examined) -> Iterator[tuple[str, Finding]]:
    """Judge one server; always of the same things, in the same order."""
    for finding in _judged(settings, found):
        yield found.place, finding


def _judged(settings: Settings, found: Examined) -> Iterator[Finding]:
    yield _version(found)
    yield _role(found)
    yield _eviction(found)
    yield _persistence(settings, found)
    yield _memory(found)
    yield _clock(found)


def _settings(settings: Settings) -> Iterator[Finding]:
    if settings.no_auth and not settings.ingest_listen.loopback:
        yield Finding(
            "error",
            "settings",
            f"WRITETHRU_NO_AUTH would let everybody who reaches {settings.ingest_listen.host} "
            "publish, so ingest does not start",
            "unset it, or set WRITETHRU_INGEST_LISTEN to 127.0.0.1:8000",
        )
    elif not settings.deliver_listen.loopback and _is_local(settings.public_url):
        yield Finding(
            "warning",
            "settings",
            f"readers come from elsewhere, and links begin with {settings.public_url}",
            "set WRITETHRU_PUBLIC_URL to the address that readers use",
        )
    else:
        yield Finding("ok", "settings", "all are known and go together")


def _is_local(url: str) -> bool:
    return bool(re.match(r"https?://(127\.0\.0\.1|\[::1\]|localhost)(:|/|$)", url))


def _version(found: Examined) -> Finding:
    version = str(found.info.get("redis_version", ""))
    name = f"Redis {version}"
    if valkey := found.info.get("valkey_version"):
        name = f"Valkey {valkey}"
    parts = re.match(r"(\d+)\.(\d+)", version)
    if not parts:
        return unseen("version", "its version", "INFO")
    if (int(parts[1]), int(parts[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        remedy = f"give it Redis or Valkey {oldest} or later"
        return Finding("error", "version", f"the engine is {name}, older than {oldest}", remedy)
    return Finding("ok", "version", f"the engine is {name}")


def _role(found: Examined) -> Finding:
    if found.info.get("role") == "slave":
        return Finding(
            "error",
            "role",
            "the engine is a replica, which takes no writes",
            "set WRITETHRU_REDIS_URL to its primary",
        )
    if found.info.get("cluster_enabled") and found.company != "cluster":
        return Finding(
            "error",
            "role",
            "the engine is one node of a cluster",
            f"set WRITETHRU_REDIS_URL to redis+cluster://{found.place}",
        )
    if found.company != "alone" and not found.info.get("connected_slaves", 1):
        return Finding(
            "warning",
            "role",
            "the primary has no replica, so nobody can take over from it",
            "start one, and see that it follows",
        )
    return Finding("ok", "role", _ROLES[found.company])


_ROLES: Mapping[Company, str] = {
    "alone": "the engine is a primary that stands alone",
    "sentinels": "the primary has replicas, and sentinels that watch over it",
    "cluster": "every primary of the cluster has a replica",
}


def _eviction(found: Examined) -> Finding:
    policy = found.config.get("maxmemory-policy") or found.info.get("maxmemory_policy")
    if policy is None:
        return unseen("eviction", "its maxmemory-policy", "CONFIG GET", "noeviction")
    if policy != "noeviction":
        return Finding(
            "error",
            "eviction",
            f"maxmemory-policy is {policy}: a full engine throws articles away",
            "set the engine's maxmemory-policy to noeviction",
        )
    return Finding("ok", "eviction", "a full engine refuses, and throws nothing away")


def _persistence(settings: Settings, found: Examined) -> Finding:
    if found.info.get("aof_last_write_status", "ok") != "ok":
        return Finding(
            "error",
            "persistence",
            "the engine could not write its file the last time",
            "see its log; most likely the disk is full",
        )
    if settings.durability == "memory":
        return Finding(
            "warning",
            "persistence",
            "WRITETHRU_DURABILITY is memory: what was accepted dies with the engine",
            "unset it, with an engine that has appendonly yes and appendfsync always",
        )
    return _fsync(found)


def _fsync(found: Examined) -> Finding:
    enabled = found.info.get("aof_enabled")
    known = {"appendonly": "yes" if enabled else "no"} if enabled is not None else {}
    known |= {name: found.config[name] for name in found.config if name.startswith("append")}
    needed = {"appendonly": "yes", "appendfsync": "always"}
    if lacking := [f"{name} {known[name]}" for name in known if known[name] != needed[name]]:
        return Finding(
            "error",
            "persistence",
            f"the engine has {' and '.join(lacking)}: a crash loses what was accepted",
            "give it appendonly yes and appendfsync always, or set WRITETHRU_DURABILITY=memory",
        )
    if hidden := [name for name in needed if name not in known]:
        values = " and ".join(f"{name} {needed[name]}" for name in hidden)
        return unseen("persistence", f"its {' and '.join(hidden)}", "CONFIG GET", values)
    return Finding("ok", "persistence", "each event is on disk before its receipt goes out")


def _memory(found: Examined) -> Finding:
    used = found.info.get("used_memory")
    most = found.info.get("maxmemory") or found.info.get("total_system_memory")
    if not used or not most:
        return unseen("memory", "its memory", "INFO")
    of = "maxmemory" if found.info.get("maxmemory") else "the machine's, as no maxmemory is set"
    detail = f"{used / most:.0%} of {size(most)} is used ({of})"
    if used / most < MEMORY_SCARCE:
        return Finding("ok", "memory", detail)
    level: Level = "error" if used / most >= MEMORY_GONE else "warning"
    return Finding(level, "memory", detail, "give the engine more before it takes no more events")


def _disk(found: Examined) -> Iterator[Finding]:
    if found.disk_free is None:
        return
    detail = f"{size(found.disk_free)} are free where the engine keeps its data"
    # It writes its file anew from time to time, and has both until the new one is whole.
    wanted = max(DISK_SCARCE_BYTES, 2 * int(found.info.get("aof_current_size", 0)))
    if found.disk_free >= wanted:
        yield Finding("ok", "disk", detail)
    else:
        remedy = f"make room, or events will be refused in time; {size(wanted)} would do"
        yield Finding(
            "error" if found.disk_free < wanted / 4 else "warning", "disk", detail, remedy
        )


def _clock(found: Examined) -> Finding:
    seconds = abs(found.skew)
    if seconds < SKEW_SECONDS:
        return Finding("ok", "clock", "the engine's clock and this machine's agree")
    detail = f"the engine's clock is {seconds:.1f} s {'ahead' if found.skew > 0 else 'behind'}"
    level: Level = "error" if seconds >= GROSS_SKEW_SECONDS else "warning"
    return Finding(level, "clock", detail, "have both machines keep time by NTP")
