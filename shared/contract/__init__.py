"""Pure: what goes over the wire, and when it is refused."""
