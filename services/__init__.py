"""The services, each a process of its own, and the command line."""
