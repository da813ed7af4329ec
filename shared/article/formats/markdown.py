r"""The whole article as Markdown: its copy as it was filed, and around it what the text page says.

Whoever shows it again does so with a parser of their own, which may let through what ours never
does. So a ``<`` that could begin HTML, and a link that leads elsewhere than to http, https or
mailto, get a backslash: there they read as text, as on our pages. Fenced code stays as it is; in
other code such a backslash shows, because what is code there depends on the parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from shared.article.article import Article, Head, Note, Update
from shared.article.dates import date_time
from shared.article.editing import PROVENANCES
from shared.article.formats import text
from shared.article.markdown import fences
from shared.article.order import displayed
from shared.contract.acts import Source

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&])")
#: Where an address that a link may have begins.
_OUTSIDE = r"(?:https?://|mailto:)"
_RISKS = re.compile(
    rf"(\\*)(<(?=[a-z/!?])(?!{_OUTSIDE})|(?<=\])(?:\((?!\s*<?{_OUTSIDE})|:(?!\s*<?{_OUTSIDE})))",
    re.IGNORECASE,
)


def page(article: Article) -> str:
    """Return the whole page; of a killed article the one line that says so.

    Raises ValueError for an article that was never opened.
    """
    head = article.head
    if head.status == "killed":
        return text.withdrawn(head)
    updates = displayed(head, article.updates.values())
    parts = [*_top(head), safe(article.body.source)]
    if updates:
        parts += ["## Updates", *(update(each, head) for each in updates)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _top(head: Head) -> Iterator[str]:
    yield f"# {plain(head.headline)}"
    if head.summary:
        yield plain(head.summary)
    if head.authors:
        yield f"By {plain(', '.join(head.authors))}"
    yield "\n".join(f"- {plain(fact)}" for fact in text.facts(head))


def update(update: Update, head: Head) -> str:
    """Return one update with its notes and sources."""
    return "\n\n".join(filter(None, _parts(update, head)))


def _parts(update: Update, head: Head) -> Iterator[str]:
    pin = "📌 " if update.update_id == head.pinned else ""
    yield f"### {pin}🔄 {plain(date_time(update.time, head.timezone, head.locale))}"
    if update.copy is None:
        yield _noted("🚫 Retracted", update.notes[-1], head)
        return
    if update.headline:
        yield f"**{plain(update.headline)}**"
    if update.authors:
        yield f"By {plain(', '.join(update.authors))}"
    yield safe(update.copy.source)
    for image in update.images:
        credit = f" {plain(image.credit)}" if image.credit else ""
        yield f"![{plain(image.alt)}]({_address(image.url)}){credit}"
    for note in update.notes:
        yield _noted("✏️ Corrected", note, head)
    if said := PROVENANCES.get(update.provenance):
        yield f"ℹ️ {said}"
    yield "\n".join(_sources(update.sources))


def _sources(sources: Iterable[Source]) -> Iterator[str]:
    for source in sorted(sources, key=lambda each: each.n):
        yield f"- \\[{source.n}\\] [{plain(source.title or source.url)}]({_address(source.url)})"


def _address(url: str) -> str:
    return f"<{url.replace('<', '%3C').replace('>', '%3E')}>"


def _noted(label: str, note: Note, head: Head) -> str:
    when = date_time(note.time, head.timezone, head.locale)
    return f"> {label}: {plain(when)}. {plain(note.note)}"


def plain(words: str) -> str:
    """Return *words* so that they read as they are, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(words.split()))


def safe(source: str) -> str:
    """Return Markdown *source* with nothing that another parser could take for more than text.

    A fence that is left open is closed, or all that follows would be code.
    """
    found = fences(source)
    code = {line for fence in found for line in fence.lines}
    lines = [
        line if at in code else _RISKS.sub(_escaped, line)
        for at, line in enumerate(source.split("\n"))
    ]
    return "\n".join([*lines, *(fence.lacking for fence in found if fence.lacking)]).strip("\n")


def _escaped(found: re.Match[str]) -> str:
    """Put a backslash before what is found, unless one is there that counts."""
    before, risk = found.groups()
    return found[0] if len(before) % 2 else f"{before}\\{risk}"
