"""Webhooks: who has subscribed, what each lacks, and how that gets there."""
