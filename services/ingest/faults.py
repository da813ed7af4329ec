"""What is answered, logged and counted when a request fails as a whole."""

from __future__ import annotations

import structlog
from starlette.responses import Response

from services.ingest import answers
from shared.contract.errors import OutcomeUnknown, WritethruError
from shared.runtime.metrics import count
from shared.runtime.redis import SILENT

_log = structlog.get_logger()


def refused(error: WritethruError) -> Response:
    """Answer a request that is refused, or has to come again."""
    _log.warning("request.refused", code=error.code)
    count("writethru_requests_refused_total", code=error.code)
    return answers.refusal(error)


def failed(error: Exception) -> Response:
    """A fault of ours must not look like the sender's, nor promise that nothing was stored."""
    _log.error("request.failed", reason=type(error).__name__)
    return answers.refusal(OutcomeUnknown(SILENT))
