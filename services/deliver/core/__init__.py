"""Pure: what deliver decides about a request."""
