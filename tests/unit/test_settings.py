"""Settings: what the environment may say, and what is said about the rest."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.cli.options import environment
from shared.runtime.settings import Settings, SettingsError
from tests.integration.tls import Papers

#: A key with a password; what it is doesn't matter.
LOCKED = """-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiqltp8GyQKSwICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEIdWX9+wbDvDwCU+7CXGMMwEgZBK
6cSMmp8XBmkTuJNzA4qpJh9+hhQuc2NWe3UXtT3kFkUpT0Bcnjy/55XzIhBDtWAa
BkydMcsP7aAh/ln7SlJ7HODNpJEC6JjdfjIGmnxm/eo4aPnv9PPRBq3h35gIHME1
A22YZGKI0tvuZA6iLH7wUjD5u6yS4y2Tc5l9gqlbt1V9SDD7l9rtYM6WIyRMzT4=
-----END ENCRYPTED PRIVATE KEY-----
"""


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
            "WRITETHRU_OUTBOUND_ALLOW": "10.1.0.0/16, fd00::/8",
            "WRITETHRU_OUTBOUND_PORTS": "443, 9443",
        }
    )

    assert settings.redis_url == "rediss://user:p%2Fw@engine:6380/1"
    assert (settings.lanes, settings.durability, settings.no_auth) == (3, "memory", True)
    assert (settings.ingest_listen.host, settings.ingest_listen.port) == ("::1", 9000)
    assert [str(each) for each in settings.outbound.allow] == ["10.1.0.0/16", "fd00::/8"]
    assert settings.outbound.ports == {443, 9443}


def test_a_public_host_is_as_the_dns_has_it() -> None:
    settings = Settings.from_env({"WRITETHRU_PUBLIC_URL": "https://Näws.example:8443/ä/"})
    assert settings.public_url == "https://xn--nws-qla.example:8443/ä"
    assert "WRITETHRU_PUBLIC_URL" in wrong(WRITETHRU_PUBLIC_URL="https://ä_ö-.example")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("news", False)],
)
def test_a_loopback_address_is_known(host: str, loopback: bool) -> None:
    listen = f"[{host}]:1" if ":" in host else f"{host}:1"

    assert Settings.from_env({"WRITETHRU_INGEST_LISTEN": listen}).ingest_listen.loopback is loopback


def test_links_have_no_double_slash_where_the_public_address_ends_with_one() -> None:
    settings = Settings.from_env({"WRITETHRU_PUBLIC_URL": "https://news.example/"})
    assert settings.public_url == "https://news.example"


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
        ("WRITETHRU_OUTBOUND_ALLOW", "inside.example"),
        ("WRITETHRU_OUTBOUND_PORTS", "https"),
        ("WRITETHRU_OUTBOUND_PORTS", "443,70000"),
        ("WRITETHRU_OUTBOUND_CA_FILE", "/nowhere/ca.pem"),
        ("WRITETHRU_SEALING_KEY", "short"),
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


def test_a_setting_whose_name_ends_with_file_is_a_path_that_goes_into_the_engines_address(
    tmp_path: Path,
) -> None:
    papers = Papers(tmp_path)
    names = {"CA": "ca", "CERT": "client", "KEY": "client-key"}
    files = {f"WRITETHRU_REDIS_{at}_FILE": papers.path("ours", of) for at, of in names.items()}

    settings = Settings.from_env({"WRITETHRU_REDIS_URL": "rediss://u:p@engine/1?db=2", **files})

    options = dict(parse_qsl(urlsplit(settings.engine_url).query))
    assert settings.engine_url.startswith("rediss://u:p@engine/1?db=2&")
    assert options == {
        "db": "2",
        "ssl_ca_certs": papers.path("ours", "ca"),
        "ssl_certfile": papers.path("ours", "client"),
        "ssl_keyfile": papers.path("ours", "client-key"),
    }
    assert settings.on_own_engine("redis://127.0.0.1:7").engine_url == "redis://127.0.0.1:7"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"CA": "none"}, "WRITETHRU_REDIS_CA_FILE: none can't be read (No such file"),
        ({"CA": "key"}, "WRITETHRU_REDIS_CA_FILE: key holds no certificate in PEM form"),
        ({"KEY": "key"}, "WRITETHRU_REDIS_KEY_FILE: set WRITETHRU_REDIS_CERT_FILE too"),
        ({"CERT": "cert"}, "WRITETHRU_REDIS_CERT_FILE: cert and itself are no certificate"),
        ({"CERT": "cert", "KEY": "other"}, "WRITETHRU_REDIS_CERT_FILE: cert and other are no"),
        ({"CERT": "cert", "KEY": "locked"}, "WRITETHRU_REDIS_CERT_FILE: cert and locked are no"),
        ({"CERT": "cert", "KEY": "none"}, "WRITETHRU_REDIS_CERT_FILE: cert or none can't be read"),
    ],
)
def test_a_file_for_tls_that_is_not_what_it_should_be_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], said: str
) -> None:
    papers = Papers(tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("cert").write_text(Path(papers.path("ours", "client")).read_text())
    Path("key").write_text(Path(papers.path("ours", "client-key")).read_text())
    Path("other").write_text(Path(papers.path("other", "client-key")).read_text())
    Path("locked").write_text(LOCKED)
    named = {f"WRITETHRU_REDIS_{name}_FILE": path for name, path in files.items()}

    assert wrong(WRITETHRU_REDIS_URL="rediss://engine", **named).startswith(said)


def test_a_setting_for_tls_is_refused_where_the_address_has_none(tmp_path: Path) -> None:
    ca = Papers(tmp_path).path("ours", "ca")

    for name, value in (("REDIS_CA_FILE", ca), ("REDIS_CHECK_HOSTNAME", "false")):
        said = wrong(**{f"WRITETHRU_{name}": value, "WRITETHRU_REDIS_URL": "redis://engine"})

        assert said.startswith(f"WRITETHRU_{name} is for TLS")
        assert "begin WRITETHRU_REDIS_URL with rediss://" in said


def test_levels_of_checks_are_set_in_a_line_or_switched_off_together() -> None:
    def checks(line: str) -> object:
        return Settings.from_env({"WRITETHRU_CHECKS": line}).checks

    assert checks("cut-short=hold, odd-time=off") == {"cut-short": "hold", "odd-time": "off"}
    assert checks("off") is None
    with pytest.raises(SettingsError, match=r"^WRITETHRU_CHECKS: 'cutshort' is no check; the che"):
        checks("cutshort=warn")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("render.nowhere:0.1", "render.nowhere is no place to fail"),
        ("render.before_commit", "write a probability above 0"),
        ("render.before_commit:2", "write a probability above 0"),
        ("render.before_commit:often", "write a probability above 0"),
    ],
)
def test_a_place_to_fail_that_can_not_be_is_named(value: str, said: str) -> None:
    assert said in wrong(WRITETHRU_FAIL=value)


@pytest.mark.parametrize(
    "url", ["redis://engine:6379/0", "redis+sentinel://127.0.0.1:1,other:2/newsroom"]
)
def test_places_to_fail_are_refused_where_the_engine_is_not_on_this_machine(url: str) -> None:
    said = wrong(WRITETHRU_FAIL="render.before_commit:0.1", WRITETHRU_REDIS_URL=url)

    assert said.startswith("WRITETHRU_FAIL is for tests")


def test_a_service_gets_the_places_to_fail_as_they_were_set() -> None:
    text = "render.before_commit:0.25,ingest.after_append:0.5"
    settings = Settings.from_env({"WRITETHRU_FAIL": text})

    assert settings.fail == {"render.before_commit": 0.25, "ingest.after_append": 0.5}
    assert environment(settings)["WRITETHRU_FAIL"] == text
