"""Who may do what in the engine: one user a service, with the commands and the keys it works with.

No service but ingest can write to a ledger; it may append, and put another entry in an entry's
place, which redactions take, but remove none. What faces the readers may only read, and count who
comes with a wrong key. A command inside a script needs its right as any other does; EVAL itself
wants its keys for reading and writing, whatever the script does with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from shared.runtime.keys import (
    API_KEYS,
    API_KEYS_USED,
    ARCHIVING,
    FINDINGS,
    INBOX,
    INBOX_READER,
    LANES,
    META,
    NOTICES,
    REDACTING,
    REFUSED,
    SUBSCRIPTIONS,
    SUBSCRIPTIONS_READER,
    SUBSCRIPTIONS_REVISION,
    SUBSCRIPTIONS_TESTS,
    Lane,
    beside,
    failures,
    filed,
)
from shared.runtime.outlet_keys import SubscriptionKeys

_LANE = Lane("*")
_ARTICLE = _LANE.article("*")
_SORTED = (_ARTICLE.changed, _ARTICLE.noted, _ARTICLE.key_events)


def _may(commands: str, *keys: str) -> str:
    """Return a right to *commands* on *keys*, as the engine writes it."""
    return f"({_allowed(commands)} {' '.join(f'~{key}' for key in keys)})"


def _may_read(commands: str, *keys: str) -> str:
    return f"({_allowed(commands)} {' '.join(f'%R~{key}' for key in keys)})"


def _allowed(commands: str) -> str:
    return " ".join(f"+{command}" for command in commands.split())


#: In a cluster, whoever comes asks where the keys are, and follows a slot that is moving.
_KEYLESS = _allowed("ping time info multi exec asking cluster|slots")
_INSTALLED = (_may_read("hmget", META), _may_read("lrange", LANES))
_INSTALL = (
    *_INSTALLED,
    _may("hsetnx", META),
    _may("eval exists rpush", LANES),
)
_DOOR = (
    _may_read("hget", API_KEYS),
    _may("hset", API_KEYS_USED),
    _may("get incrby expire ttl", failures("*", "*")),
)

_INGEST = (
    _KEYLESS,
    _allowed("config|get"),
    # WAIT and WAITAOF, which has no name that every engine knows; the rest of them need keys
    _allowed("@blocking"),
    _may("set", _LANE.awaited),
    *_INSTALL,
    # append.lua and release.lua
    _may("eval evalsha", *_ARTICLE.filing),
    _may("rpush lset", _ARTICLE.ledger),
    _may("hset", _ARTICLE.seen, _ARTICLE.article, _ARTICLE.posted, _ARTICLE.holds),
    _may("hincrby", _ARTICLE.article),
    _may("hdel", _ARTICLE.holds, _ARTICLE.article),
    _may_read("hget", _ARTICLE.state),
    _may("xadd", _LANE.events, REFUSED, FINDINGS),
    _may("sadd", _LANE.redactions),
    _may("zadd", _LANE.dirty, _LANE.held),
    _may("zrem", _LANE.held),
    # and what it reads, as do the ledger's readers and the probes
    _may_read("hget hmget hlen", _ARTICLE.seen, _ARTICLE.article, _ARTICLE.posted),
    _may_read("hlen hkeys hgetall", _ARTICLE.holds),
    _may_read("llen lrange", _ARTICLE.ledger),
    _may_read("xlen", _LANE.events, INBOX),
    _may_read("scard", _LANE.redactions),
    _may_read("zcard zrange", _LANE.dirty),
    _may_read("zcard zrange zrangebyscore", _LANE.held),
    # sources that are pulled, and how articles stand that updaters are told of
    _may("hgetall hget hset hdel hlen", _ARTICLE.sources),
    _may("hmget hset hdel", _ARTICLE.pulled),
    _allowed("unwatch"),
    # and when they are pulled
    _may("zadd zincrby zrem zscore zcard zrange", _LANE.ticks, _LANE.failing),
    _may("eval evalsha hget hgetall hset hdel hlen", _ARTICLE.pulses),
    _may("eval evalsha", _LANE.failing),
    _may("watch", _ARTICLE.article, _ARTICLE.sources),
    _may_read("hget hmget", _ARTICLE.state, _ARTICLE.updates, _ARTICLE.pages),
    *_DOOR,
    _may("incrby decrby expire ttl", filed("*")),
    # the inbox
    _may("xgroup|create xreadgroup xack xdel", INBOX),
    _may("eval get set del", INBOX_READER),
)

_RENDER = (
    _KEYLESS,
    # with which the client that FastStream makes for a cluster finds the keys of a command
    _allowed("command"),
    *_INSTALL,
    # the store's scripts, and the sweeper's
    _may(
        "eval evalsha",
        *(_ARTICLE.article, _ARTICLE.ledger, _ARTICLE.state, _ARTICLE.updates, _ARTICLE.pages),
        *(*_SORTED, _ARTICLE.holds, _LANE.changes, _LANE.events, _LANE.dirty, _LANE.latest),
        *(_LANE.quarantined, *_LANE.promises),
    ),
    # when articles have to have news, and which had none
    _may("zadd zrem zcard zscore", *_LANE.promises),
    _may_read("zrange zcount", *_LANE.promises),
    _may("hset", _ARTICLE.article, _ARTICLE.state, _ARTICLE.updates, _ARTICLE.pages),
    _may("hdel", _ARTICLE.updates),
    _may("hget hset hdel hlen", _LANE.quarantined),
    _may("del", _ARTICLE.state, _ARTICLE.updates, _ARTICLE.pages, *_SORTED),
    _may("zadd", *_SORTED, _LANE.latest),
    _may("zrem", _ARTICLE.noted, _ARTICLE.key_events, _LANE.latest, _LANE.dirty),
    _may("xadd", _LANE.changes),
    _may("xgroup|create xreadgroup xack xgroup|delconsumer", _LANE.events),
    _may("xtrim", _LANE.events, _LANE.changes),
    # the archive: articles leave the engine
    _may("eval get set del", ARCHIVING),
    _may("unlink", _ARTICLE.ledger),
    _may("unlink", *_ARTICLE.archivable),
    _may("hdel hincrby", _ARTICLE.state),
    _may("zadd", _LANE.dirty),
    _may_read("hlen", _ARTICLE.holds),
    _may_read("hgetall", _ARTICLE.seen, _ARTICLE.state, _ARTICLE.pages),
    _may_read("llen", _ARTICLE.ledger),
    _may_read("zscan zscore", _LANE.latest),
    _may_read("smismember", _LANE.redactions),
    # what redactions leave to do
    _allowed("bgrewriteaof"),
    _may("eval get set del", REDACTING),
    _may("smembers srem", _LANE.redactions),
    _may(
        "eval evalsha exists xinfo|stream xinfo|groups xrange xpending rename",
        *(_LANE.events, beside(_LANE.events), REFUSED, beside(REFUSED)),
    ),
    _may(
        "del xadd xsetid xclaim xgroup|create xgroup|destroy",
        *(beside(_LANE.events), beside(REFUSED)),
    ),
    # and what they read
    _may_read(
        "hget hmget hkeys hlen hexists",
        *(_ARTICLE.article, _ARTICLE.state, _ARTICLE.updates, _ARTICLE.pages),
    ),
    _may_read("lrange lindex", _ARTICLE.ledger),
    _may_read("zcard zrange zrangebyscore", *_SORTED, _LANE.latest, _LANE.dirty),
    _may_read(
        "exists xlen xrange xpending xinfo|groups xinfo|consumers", _LANE.events, _LANE.changes
    ),
)

_DELIVER = (
    _KEYLESS,
    *_INSTALLED,
    _may_read("hget hmget", _ARTICLE.state, _ARTICLE.updates, _ARTICLE.pages),
    _may_read("lindex lrange", _ARTICLE.ledger),
    _may_read("hmget", _ARTICLE.article),
    *_DOOR,
    _may_read("zcard zrange zrevrange zrangebyscore", *_SORTED, _LANE.latest, _LANE.dirty),
    _may_read("xread xrange xinfo|stream", _LANE.changes),
    _may_read("zscore zrange", _LANE.overdue),
    # caches that are told of changes
    _may("eval get set del", "writethru:purge:*:lease"),
    _may("hgetall hset", "writethru:purge:*:places"),
    # webhooks
    _may_read("hmget", API_KEYS),
    _may_read("xinfo|groups", _LANE.changes),
    _may_read("xrange", _LANE.events),
    _may("xgroup|create xgroup|setid", _LANE.changes),
    _may("hget hkeys hvals hset hdel watch", SUBSCRIPTIONS),
    _may("get incrby", SUBSCRIPTIONS_REVISION),
    _may("eval get set del", SUBSCRIPTIONS_READER),
    _may("rpush lpop", SUBSCRIPTIONS_TESTS),
    _may("xadd", NOTICES),
    _may(
        "eval evalsha exists unlink del hget hmget hgetall hvals hkeys hset hsetnx hincrby hdel "
        "hexists zadd zrem zscore zcard zrangebyscore lpush lrange ltrim llen lrem",
        *SubscriptionKeys("*").working,
    ),
)

#: Makes a cluster of nodes that are none yet; one that has keys can't be taken apart by these.
_ASSEMBLE = _allowed(
    "cluster|slots cluster|info cluster|nodes cluster|myid cluster|meet cluster|addslotsrange "
    "cluster|set-config-epoch cluster|replicate"
)
#: For the command line: all of writethru's keys, and nothing that endangers the engine.
_OPERATOR = (
    "~{wt:*}:* ~writethru:*",
    "+@all -@admin -@dangerous +info +config|get +acl|load +acl|getuser",
    _ASSEMBLE,
)

#: Whom the engine knows by a password, and their rights.
USERS: Mapping[str, tuple[str, ...]] = {
    "ingest": _INGEST,
    "render": _RENDER,
    "deliver": _DELIVER,
    "operator": _OPERATOR,
}
#: Nobody can log in as `default`, but Redis replays its own file as this user when it starts: with
#: fewer rights it would leave out every transaction, and so the effects of every script, and say
#: so only in its log.
_NOBODY = "off resetpass ~* &* +@all"
#: As whom a replica follows its primary.
REPLICA = "replica"
_REPLICATE = _allowed("psync replconf ping")
#: Asks whether the engine is well, from beside it; needs no password for that.
HEALTH = "health"


def acl_file(passwords: Mapping[str, str]) -> str:
    """Return the engine's ACL file for those who have *passwords*, which are in it as hashes only.

    They are USERS, and REPLICA where there are several servers.
    """
    lines = [f"user default {_NOBODY}"]
    lines.append(f"user {HEALTH} on nopass -@all +ping")
    for name, rights in {**USERS, REPLICA: (_REPLICATE,)}.items():
        if name not in passwords:
            continue
        digest = hashlib.sha256(passwords[name].encode()).hexdigest()
        lines.append(f"user {name} on #{digest} -@all {' '.join(rights)}")
    return "\n".join(lines) + "\n"
