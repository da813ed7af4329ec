"""The manual as pages: no script, no other host, and a policy that allows neither."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import HTMLResponse

from services.ingest.manual import openapi
from services.ingest.manual.examples import PROBLEMS
from shared.runtime.problems import PROBLEMS as CODES

if TYPE_CHECKING:
    from jinja2 import Environment


def problem(code: str) -> HTMLResponse:
    """Return the page that explains the problem *code*."""
    return _page("problem.html", code=code, problem=CODES[code], example=PROBLEMS[code])


def manual(here: str) -> HTMLResponse:
    """Return the page that tells how to file events; *here* is the address of ingest."""
    return _page("manual.html", document=openapi.document(), here=here)


def _page(template: str, **facts: Any) -> HTMLResponse:
    style, policy = _style()
    body = _environment().get_template(template).render(style=style, **facts)
    return HTMLResponse(body, headers={"content-security-policy": policy})


@cache
def _style() -> tuple[str, str]:
    """Return the style sheet, and the policy that allows it and nothing else."""
    loader = _environment().loader
    assert loader is not None  # noqa: S101  # _environment gives it one
    style = loader.get_source(_environment(), "style.css")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return style, f"{policy}; frame-ancestors 'none'"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, select_autoescape  # few ask for a page

    loader = PackageLoader("services.ingest.manual")
    environment = Environment(
        loader=loader, autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["pretty"] = _pretty
    return environment


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
