"""What is counted and measured, in one table. A name has its kind and its labels here."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contract.desk import CHECKS, LEVELS
from shared.contract.sources import KINDS
from shared.runtime.metric import Metric, MetricName, counter, engine
from shared.runtime.problems import PROBLEMS

METRICS: Mapping[MetricName, Metric] = {
    "writethru_engine_up": engine("Whether the engine answers: 1 or 0."),
    "writethru_lag_seconds": engine(
        "How long the article that has waited longest for its page has waited."
    ),
    "writethru_dirty_articles": engine("Articles whose page is behind their ledger."),
    "writethru_engine_memory_used_bytes": engine(
        "Memory that the engine uses; of a cluster, the primary that is fullest."
    ),
    "writethru_engine_memory_max_bytes": engine("Memory that the engine may use; 0: no limit."),
    "writethru_engine_uptime_seconds": engine("For how long the engine has run."),
    "writethru_events_total": counter(
        "ingest",
        "Events, by source (twenty of them, then other), act, and what became of them.",
        source=(),
        type=(),
        status=(),
    ),
    "writethru_events_refused_total": counter(
        "ingest",
        "Events that were not stored, or of which nobody knows, by the problem's code.",
        code=tuple(PROBLEMS),
    ),
    "writethru_requests_refused_total": counter(
        "ingest", "Requests refused as a whole, by the problem's code.", code=tuple(PROBLEMS)
    ),
    "writethru_held_events": Metric(
        "gauge", ("ingest",), "Events that are held: under embargo, or for an editor to look at."
    ),
    "writethru_release_overdue_seconds": Metric(
        "gauge",
        ("ingest",),
        "How long ago the held event that has waited longest for its release was due.",
    ),
    "writethru_releases_total": counter(
        "ingest",
        "Held events that were due: released, or stopped because they may not be any more.",
        result=("released", "stopped"),
    ),
    "writethru_findings_total": counter(
        "ingest", "What the desk's checks found, by check.", check=CHECKS, level=LEVELS[1:]
    ),
    "writethru_pulls_total": counter(
        "ingest",
        "How often sources were pulled, by what came of it.",
        kind=KINDS,
        result=("filed", "unchanged", "failed"),
    ),
    "writethru_sources_failing": Metric(
        "gauge", ("ingest",), "Sources that failed when they were pulled last."
    ),
    "writethru_tick_late_seconds": Metric(
        "gauge", ("ingest",), "How long a source has been due that nobody has pulled."
    ),
    "writethru_append_seconds": Metric(
        "histogram",
        ("ingest",),
        "How long the engine took to store up to a hundred events.",
        buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
    ),
    "writethru_inbox_waiting": Metric(
        "gauge", ("ingest",), "Entries of the inbox whose events are not filed yet."
    ),
    "writethru_wakeups_total": counter(
        "render",
        "Wake-ups, by how they were taken: read, or stranded with a renderer that is gone.",
        taken=("read", "stranded"),
    ),
    "writethru_waiting_wakeups": Metric(
        "gauge", ("render",), "Wake-ups that no renderer has read, or that none has acknowledged."
    ),
    "writethru_commits_total": counter(
        "render",
        "Commits by their result; all but committed and acked wrote nothing.",
        result=("committed", "acked", "stale", "fork", "missing", "newer"),
    ),
    "writethru_snapshot_seconds": Metric(
        "histogram",
        ("render",),
        "From an event's entry in the ledger until its article's page had it.",
        buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
    ),
    "writethru_renders_failed_total": counter(
        "render", "Renders that failed; their articles stay dirty and are tried again."
    ),
    "writethru_articles_swept_total": counter(
        "render", "Articles that the sweeper rendered, because no wake-up brought it about."
    ),
    "writethru_events_quarantined_total": counter(
        "render", "Events that could not be folded, and have no effect."
    ),
    "writethru_promised_articles": Metric(
        "gauge",
        ("render",),
        "Live articles whose page promises news, by how they keep to it.",
        {"standing": ("on time", "due", "overdue")},
    ),
    "writethru_overdue_total": counter(
        "render", "Articles found overdue, once for each time that they fell silent."
    ),
    "writethru_lanes_stopped": Metric("gauge", ("render",), "Lanes that a renderer has stopped."),
    "writethru_entries_trimmed_total": counter(
        "render", "Old entries taken out of the lanes' streams.", stream=("events", "changes")
    ),
    "writethru_stream_entries": Metric(
        "gauge", ("render",), "Entries that the streams hold.", {"stream": ("events", "changes")}
    ),
    "writethru_articles_archived_total": counter(
        "render", "Articles that left the engine for the archive."
    ),
    "writethru_archive_files_removed_total": counter(
        "render", "Files of the archive that were removed: their articles have moved on."
    ),
    "writethru_articles_restored_total": Metric(
        "counter",
        ("ingest", "render"),
        "Articles that were brought back from the archive, to be changed or folded anew.",
    ),
    "writethru_articles_refolded_total": counter(
        "render", "Articles that an older fold had stored, and that were folded anew."
    ),
    "writethru_redactions_total": counter(
        "render", "Redactions whose text has been destroyed wherever the engine had it."
    ),
    "writethru_readers": Metric("gauge", ("deliver",), "Open streams and waiting long polls."),
    "writethru_readers_aside": Metric(
        "gauge",
        ("deliver",),
        "Open streams whose reader takes less than it is told; it gets all that it missed in one.",
    ),
    "writethru_readers_refused_total": counter(
        "deliver",
        "Readers who were asked to come back: there was no room, or too many from their address.",
        why=("full", "address"),
    ),
    "writethru_readers_cut_total": counter(
        "deliver", "Streams cut off, as their reader took nothing from one heartbeat to the next."
    ),
    "writethru_frames_total": counter(
        "deliver",
        "Changes told to live readers, by what they follow: an article, or all of them.",
        stream=("article", "all"),
        event=("change", "reset", "killed"),
    ),
    "writethru_delivery_seconds": Metric(
        "histogram",
        ("deliver",),
        "From an event's entry in the ledger until all live readers of its article were sent it.",
        buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
    ),
    "writethru_hub_restarts_total": counter(
        "deliver", "Times that the hub lost the engine or its place in an outbox, and started over."
    ),
    "writethru_answers_total": counter(
        "deliver",
        "Pages and other answers but streams, by format and status.",
        format=(),
        status=(),
    ),
    "writethru_purges_total": counter(
        "deliver",
        "Calls that had a cache let go of what has changed, by what became of them.",
        result=("done", "failed"),
    ),
    "writethru_purge_seconds": Metric(
        "histogram",
        ("deliver",),
        "From the commit of a change until a cache has let go of what is old, a key each.",
        buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    ),
    "writethru_purge_waiting_seconds": Metric(
        "gauge",
        ("deliver",),
        "How long a change waits that a cache was not told of yet, by cache; 0 in processes "
        "whose turn it is not.",
        labels={"cache": ()},
    ),
    "writethru_cache_lookups_total": counter(
        "deliver",
        "Answers asked of a cache: there, being made for another reader, or made for this one.",
        cache=("pages", "changes", "codings", "latest", "versions"),
        result=("hit", "shared", "made"),
    ),
    "writethru_subscriptions": Metric(
        "gauge",
        ("deliver",),
        "Subscriptions to webhooks, by status.",
        {"status": ("active", "paused", "disabled")},
    ),
    "writethru_webhooks_waiting": Metric(
        "gauge", ("deliver",), "Articles that active subscriptions are still to be told of."
    ),
    "writethru_webhooks_total": counter(
        "deliver",
        "Attempts to send a webhook; dead ones were the last of ten, gone ones answered 410.",
        outcome=("delivered", "failed", "dead", "gone"),
    ),
    "writethru_webhook_seconds": Metric(
        "histogram",
        ("deliver",),
        "From an event's entry in the ledger until a webhook that took one attempt had told of it.",
        buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0),
    ),
    "writethru_subscriptions_disabled_total": counter(
        "deliver",
        "Subscriptions that were disabled: their endpoint answered 410, or failed for five days.",
        reason=("gone", "failing"),
    ),
}
