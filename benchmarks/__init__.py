"""Measurements behind the project's claims; `python -m benchmarks` runs them all."""
