"""Notices: what is told beside the changes of articles, as nothing in them has changed."""

from __future__ import annotations

#: An article has had no news for longer than its page promises. A change in the outbox whose
#: version stays as it was (`from` is `to`), and a kind of webhook.
OVERDUE = "writethru.article.overdue"
