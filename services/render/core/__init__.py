"""Pure: what to write for a fold."""
