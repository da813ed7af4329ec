"""Settings: what the environment may say, and what is said about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.runtime.settings import Settings, SettingsError


def wrong(**environ: str) -> str:
    with pytest.raises(SettingsError) as error:
        Settings.from_env(environ)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_everything_has_a_default() -> None:
    assert Settings.from_env({"PATH": "/bin", "WRITE": "x"}) == Settings()


def test_each_setting_is_read_by_its_name() -> None:
    settings = Settings.from_env(
        {
            "WRITETHRU_REDIS_URL": "rediss://user:p%2Fw@engine:6380/1",
            "WRITETHRU_LANES": "3",
            "WRITETHRU_DURABILITY": "memory",
            "WRITETHRU_INGEST_LISTEN": "[::1]:9000",
            "WRITETHRU_NO_AUTH": "true",
        }
    )

    assert settings.redis_url == "rediss://user:p%2Fw@engine:6380/1"
    assert (settings.lanes, settings.durability, settings.no_auth) == (3, "memory", True)
    assert (settings.ingest_listen.host, settings.ingest_listen.port) == ("::1", 9000)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("news", False)],
)
def test_a_loopback_address_is_known(host: str, loopback: bool) -> None:
    listen = f"[{host}]:1" if ":" in host else f"{host}:1"

    assert Settings.from_env({"WRITETHRU_INGEST_LISTEN": listen}).ingest_listen.loopback is loopback


def test_a_setting_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("redis://:secret@engine\n")

    settings = Settings.from_env({"WRITETHRU_REDIS_URL_FILE": str(secret)})

    assert settings.redis_url == "redis://:secret@engine"


def test_a_file_that_can_not_be_read_stops_the_start(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff")

    missing = wrong(WRITETHRU_REDIS_URL_FILE=str(tmp_path / "none"))

    assert "WRITETHRU_REDIS_URL_FILE" in missing
    assert "No such file" in missing
    assert "not UTF-8" in wrong(WRITETHRU_REDIS_URL_FILE=str(binary))


def test_a_setting_given_twice_stops_the_start(tmp_path: Path) -> None:
    said = wrong(WRITETHRU_LANES="3", WRITETHRU_LANES_FILE=str(tmp_path))

    assert "WRITETHRU_LANES and WRITETHRU_LANES_FILE" in said


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("WRITETHRU_LANE", "WRITETHRU_LANES"),
        ("WRITETHRU_REDIS", "WRITETHRU_REDIS_URL"),
        ("WRITETHRU_NOAUTH", "WRITETHRU_NO_AUTH"),
        ("WRITETHRU_INGEST_PORT", "WRITETHRU_INGEST_LISTEN"),
    ],
)
def test_an_unknown_name_stops_the_start_and_is_told_the_nearest(name: str, nearest: str) -> None:
    said = wrong(**{name: "8000"})

    assert said.startswith(f"{name} ")
    assert said.endswith(f" {nearest}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WRITETHRU_LANES", "0"),
        ("WRITETHRU_LANES", "many"),
        ("WRITETHRU_REDIS_URL", "http://engine"),
        ("WRITETHRU_REDIS_URL", "redis://user:pass/word@engine"),
        ("WRITETHRU_PUBLIC_URL", "news.example"),
        ("WRITETHRU_DURABILITY", "disk"),
        ("WRITETHRU_INGEST_LISTEN", "8000"),
        ("WRITETHRU_INGEST_LISTEN", "127.0.0.1:65536"),
        ("WRITETHRU_NO_AUTH", "perhaps"),
        ("WRITETHRU_LOG_LEVEL", "loud"),
    ],
)
def test_a_value_that_can_not_be_stops_the_start_and_is_not_repeated(name: str, value: str) -> None:
    said = wrong(**{name: value})

    assert said.startswith(f"{name}: ")
    assert "word" not in said.removeprefix(name).replace("password", "")


def test_the_links_of_kubernetes_are_no_settings() -> None:
    links = {
        "WRITETHRU_INGEST_SERVICE_HOST": "10.0.0.11",
        "WRITETHRU_INGEST_SERVICE_PORT": "8000",
        "WRITETHRU_INGEST_SERVICE_PORT_HTTP": "8000",
        "WRITETHRU_INGEST_PORT": "tcp://10.0.0.11:8000",
        "WRITETHRU_INGEST_PORT_8000_TCP": "tcp://10.0.0.11:8000",
        "WRITETHRU_INGEST_PORT_8000_TCP_PROTO": "tcp",
        "WRITETHRU_INGEST_PORT_8000_TCP_ADDR": "10.0.0.11",
        "WRITETHRU_PORT": "tcp://10.0.0.12:80",
    }

    assert Settings.from_env(links) == Settings()
