"""Python imports this at its start where a test has put this folder on its path."""

import os
import sys

if name := os.environ.get("TEST_MUTANT"):
    from tests.chaos.mutants.bugs import infect

    infect(name, sys.orig_argv)
