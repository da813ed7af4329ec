"""`/problems/<code>`: the pages that the `type` of a problem names, for people who read logs."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from services.ingest import answers
from shared.runtime.problems import PROBLEMS, Problem

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{code}: {title}</title>
<style>body {{ font: 1.1rem/1.5 system-ui; max-width: 40rem; margin: 3rem auto }}</style>
<h1>{title}</h1>
<p><code>{code}</code>, HTTP status {status}</p>
<p>{cause}</p>
<p>{remedy}</p>
</html>
"""

router = APIRouter()


@router.api_route("/problems/{code}", methods=["GET", "HEAD"], include_in_schema=False)
async def explain(code: str) -> Response:
    """Say what a code means, why it comes, and what to do."""
    if code not in PROBLEMS:
        return answers.no_such(
            404, f"No problem has this code; the codes are {', '.join(PROBLEMS)}."
        )
    return HTMLResponse(page(code, PROBLEMS[code]))


def page(code: str, problem: Problem) -> str:
    """Return the page that explains *problem*."""
    facts = {name: escape(str(fact)) for name, fact in problem._asdict().items()}
    return _PAGE.format(code=escape(code), **facts)
