"""The writethru command, one module a subcommand."""
