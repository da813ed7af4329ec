"""The suite: `./writethru test`; each folder under this one is a kind of proof."""
