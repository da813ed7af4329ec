"""What pages are made of: templates, styles, scripts; and what a newsroom puts in their place.

A newsroom's files are given once, before the first page is made (`dress`). Its templates come
before ours of the same name, which stay within its reach as ``writethru/<name>``. Pages of other
templates have other bytes, and so other ETags.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import (
    ChoiceLoader,
    Environment,
    FunctionLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    nodes,
)
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from rjsmin import jsmin

from shared.article.formats.embedding import embedded

PACKAGE = "shared.article.formats"
#: A style that takes the place of ours, one that comes after it, and the sign in a browser's tab.
STYLES = ("page.css", "extra.css", "history.css")
_OTHERS = (*STYLES, "icon.svg")
_STATIC = "static/"
_MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "woff2": "font/woff2",
}


class MisfitError(ValueError):
    """A newsroom's file is not right; says which, where, and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages link to. Its *name* carries its content, so it may be kept for ever."""

    name: str
    data: bytes
    media_type: str


def _asset(name: str, data: bytes) -> Asset:
    stem, _, ending = name.rpartition(".")
    digest = hashlib.sha256(data).hexdigest()[:12]
    return Asset(f"{stem}.{digest}.{ending}", data, _MEDIA_TYPES[ending])


def _ours(*sources: str) -> bytes:
    folder = files(PACKAGE).joinpath("assets")
    return b"".join(folder.joinpath(source).read_bytes() for source in sources)


def _script(*sources: str) -> bytes:
    """Return scripts as one, without remarks and spare white space."""
    return str(jsmin(_ours(*sources).decode())).encode()


_house: dict[str, str] = {}


def _of_house(name: str) -> tuple[str, str, None] | None:
    """Return a newsroom's template; its name is what an error says of where it is."""
    return (_house[name], name, None) if name in _house else None


_package = PackageLoader(PACKAGE, "templates")
TEMPLATES = Environment(
    loader=ChoiceLoader(
        [FunctionLoader(_of_house), _package, PrefixLoader({"writethru": _package})]
    ),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
# Only what nh3 has let through goes out as it is, and that by a filter of our own.
TEMPLATES.filters.pop("safe")

ASSETS: dict[str, Asset] = {}
#: What other sites' pages name by an address that stays the same.
#: In a block, so that it leaves no name in them.
EMBED_SCRIPT = _asset("embed.js", b"{" + _script("promise.js", "embed.js") + b"}")


def dress(given: Mapping[str, bytes]) -> None:
    """Make pages of *given*, a newsroom's files by their names, where it has any.

    Raises:
        MisfitError: one of them has a name that nothing asks for, or can't be read.
    """
    templates = {name: data for name, data in given.items() if name.endswith(".html")}
    for name in given:
        _check_name(name)
    _house.clear()
    _house.update((name, _text(name, data)) for name, data in templates.items())
    if TEMPLATES.cache is not None:
        TEMPLATES.cache.clear()
    _link(given)
    for name in templates:
        _check(name)


def _link(given: Mapping[str, bytes]) -> None:
    style = given.get("page.css", _ours("page.css"))
    extra = given.get("extra.css", b"")
    linked = {
        "style": _asset("page.css", style + extra),
        "embed_style": _asset("embed.css", embedded(_text("page.css", style + extra)).encode()),
        "history_style": _asset("history.css", given.get("history.css", _ours("history.css"))),
        "icon": _asset("icon.svg", given.get("icon.svg", _ours("icon.svg"))),
        "article_script": _asset("article.js", _script("promise.js", "follow.js", "article.js")),
        "front_script": _asset("front.js", _script("follow.js", "front.js")),
    }
    own = {
        name.removeprefix(_STATIC): _asset(name.removeprefix(_STATIC), data)
        for name, data in given.items()
        if name.startswith(_STATIC)
    }

    def static(name: str) -> str:
        if name not in own:
            raise MisfitError(f"static: there is no file static/{name}")
        return f"/static/{own[name].name}"

    ASSETS.clear()
    ASSETS.update((asset.name, asset) for asset in (*linked.values(), *own.values()))
    TEMPLATES.globals |= {name: asset.name for name, asset in linked.items()} | {"static": static}


def _check_name(name: str) -> None:
    ending = name.rpartition(".")[2]
    if name.startswith(_STATIC):
        if ending not in _MEDIA_TYPES or "/" in name.removeprefix(_STATIC):
            endings = ", ".join(f".{each}" for each in _MEDIA_TYPES)
            raise MisfitError(f"{name}: files of static/ end with one of {endings}")
        return
    known = [*_package.list_templates(), *_OTHERS]
    own_part = name.startswith("_") and name.endswith(".html") and "/" not in name
    if name not in known and not own_part:
        near = difflib.get_close_matches(name, known, 1, 0.0)[0]
        raise MisfitError(
            f"{name}: nothing asks for this file; the nearest is {near}, and templates of your own "
            "begin with _"
        )


def _check(name: str) -> None:
    """Compile a template, so that what is wrong with it is known before a reader comes."""
    try:
        for tag in TEMPLATES.parse(_house[name]).find_all(nodes.ScopedEvalContextModifier):
            raise MisfitError(f"{name}, line {tag.lineno}: remove autoescape, which stays as it is")
        TEMPLATES.get_template(name)
    except TemplateSyntaxError as error:
        where = error.name or name
        raise MisfitError(f"{where}, line {error.lineno}: {_line(error.message)}") from None
    except TemplateError as error:
        raise MisfitError(f"{name}: {_line(error.message)}") from None


def _line(message: str | None) -> str:
    return " ".join((message or "it can't be read").split())


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MisfitError(f"{name}: is not UTF-8 text") from None


_link({})
