"""Pure: an article as text, HTML, JSON, a feed."""
