"""The edge to the machine: settings, engine, keys, scripts, clock, log."""
