"""Pure: what ingest decides about an event."""
