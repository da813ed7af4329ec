"""Takes events in, judges them, and stores them once."""
