"""Validators: a strong ETag names one representation's bytes, and what they were made of."""

from __future__ import annotations

import hashlib
import re

from shared.article.article import Mark
from shared.article.fold import FOLD_REVISION

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def strong(mark: Mark, format_name: str, body: bytes) -> str:
    """Return the ETag of *body*, the article at *mark* as *format_name*.

    The digest covers all that the bytes show beside the article: templates, Latest News.
    """
    digest = hashlib.sha256(body).hexdigest()[:16]
    return f'"{mark.version}.{mark.chain12}.r{FOLD_REVISION}.{format_name}.{digest}"'


def of_bytes(body: bytes) -> str:
    """Return the ETag of what is of no article."""
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def in_coding(etag: str, coding: str) -> str:
    """Return the ETag of what *etag* names, as sent in *coding*."""
    return f'{etag[:-1]}.{coding}"'


def matches(if_none_match: str, etag: str) -> bool:
    """Whether *if_none_match* (RFC 9110, 13.1.2) names *etag*, by weak comparison."""
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
