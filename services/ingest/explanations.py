"""What people read: `/docs`, its document `/openapi.json`, and `/problems/<code>`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.ingest import answers
from services.ingest.manual import pages
from shared.runtime.problems import PROBLEMS

router = APIRouter(include_in_schema=False)


@router.api_route("/docs", methods=["GET", "HEAD"])
async def manual(request: Request) -> Response:
    """Tell how to file events."""
    return pages.manual(str(request.base_url).rstrip("/"))


@router.api_route("/problems/{code}", methods=["GET", "HEAD"])
async def explain(code: str) -> Response:
    """Say what a code means, why it comes, and what to do."""
    if code not in PROBLEMS:
        return answers.no_such(
            404, f"No problem has this code; the codes are {', '.join(PROBLEMS)}."
        )
    return pages.problem(code)
