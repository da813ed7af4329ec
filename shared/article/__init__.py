"""Pure: an article as the fold of its events, and its pages."""
