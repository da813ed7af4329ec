"""Bugs that somebody might have written, put into the real processes; none is in the product."""
