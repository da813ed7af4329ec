"""Gives articles and their changes to readers and subscribers."""
