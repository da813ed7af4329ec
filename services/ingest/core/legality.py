"""Which acts the state of an article allows: the judgement of append.lua, without an engine.

The script judges where the state is; this says the same to whoever has no engine (`fold`) and
tells people why. A property test keeps the two of one mind.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.contract import acts
from shared.contract.events import Event


@dataclass(frozen=True, slots=True)
class Facts:
    """What judging an event takes: *status* of its article and of the *update* it names.

    Both are None for what does not exist; *seq* is the article's last.
    """

    seq: int = 0
    status: str | None = None
    update: str | None = None


#: What an accepted act makes of its article, and of its update.
STATUS_AFTER: dict[type, str] = {
    acts.Published: "live",
    acts.Closed: "closed",
    acts.Reopened: "live",
    acts.Killed: "killed",
}
UPDATE_AFTER: dict[type, str] = {
    acts.Posted: "live",
    acts.Retracted: "retracted",
    acts.Redacted: "retracted",
}


def judge(facts: Facts, event: Event) -> str | None:
    """Return the code of the problem with *event*, or None where it may be filed.

    Article before update before `baseversion`: the order that publishers rely on. Duplicates come
    before all of these and are told apart elsewhere.
    """
    code = _of_article(facts, event) or _of_update(facts, event)
    if code is None and event.baseversion not in (None, facts.seq):
        return "stale"
    return code


def _of_article(facts: Facts, event: Event) -> str | None:
    opens = isinstance(event.act, acts.Published)
    match facts.status:
        case "killed":
            return "article-killed"
        case None:
            return None if opens else "unknown-article"
        case "closed" if isinstance(event.act, acts.Posted):
            return "article-closed"
        case _:
            return "article-exists" if opens else None


def _of_update(facts: Facts, event: Event) -> str | None:
    if event.update_id is None:
        return None
    if isinstance(event.act, acts.Posted):
        return "update-exists" if facts.update else None
    if facts.update is None:
        return "unknown-update"
    spent = facts.update == "retracted" and not isinstance(event.act, acts.Unpinned | acts.Redacted)
    return "update-retracted" if spent else None


def explain(code: str, event: Event, seq: int | None) -> str:
    """Say what became of *event* and what to do; *seq* is the article's last.

    For `id-conflict` it is that of the first event with the id, None where that has none.
    """
    article, update = f'Article "{event.subject}"', f'update "{event.update_id}"'
    match code:
        case "unknown-article":
            return f"{article} was never opened; file its writethru.article.published first."
        case "article-exists":
            return f"{article} is open already; change it with writethru.article.writethru."
        case "article-closed":
            return f"{article} is closed; file writethru.article.reopened before you post to it."
        case "article-killed":
            return f"{article} was killed, which is for good; tell the story under another slug."
        case "unknown-update":
            return f"{article} has no {update}; post it first, or check its update_id."
        case "update-exists":
            return f"{article} has {update} already; correct it, or post under another update_id."
        case "update-retracted":
            return f"{article} has retracted {update}, which is for good; post a new one."
        case "stale":
            return (
                f"{article} is at seq {seq}, not at baseversion {event.baseversion}; "
                "read it again before you change it."
            )
        case "id-conflict":
            which = "held or spiked" if seq is None else f"seq {seq}"
            return (
                f"{article} has another event under this id and source, {which}; "
                "give each event an id of its own."
            )
        case _:
            raise ValueError(code)
