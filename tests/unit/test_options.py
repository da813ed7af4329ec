"""What a service is started with is what was set."""

from __future__ import annotations

import pytest

from services.cli.options import environment
from shared.runtime.settings import PREFIX, Settings


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"CHECKS": "off"},
        {"CHECKS": "cut-short=hold,odd-time=off"},
        {"ARCHIVE_DIR": "/archive", "ARCHIVE_AFTER": "12h"},
        {"OUTBOUND_ALLOW": "10.1.0.0/16,fd00::/8", "OUTBOUND_PORTS": "443,9443"},
        {"SEALING_KEY": "0123456789abcdef0123456789abcdef"},
        {"INGEST_LISTEN": "[::1]:8000", "NO_AUTH": "true", "HISTORY": "public"},
    ],
)
def test_settings_handed_down_are_the_same_settings(said):
    settings = Settings.from_env({PREFIX + name: value for name, value in said.items()})

    handed = environment(settings)

    named = {name: value for name, value in handed.items() if name.startswith(PREFIX)}
    assert Settings.from_env(named) == settings
