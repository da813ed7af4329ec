"""What an engine's address says, and what is said of one that says nothing."""

from __future__ import annotations

import pytest

from shared.runtime.engine_url import parse_engine_url
from shared.runtime.settings import Settings, SettingsError


def test_a_cluster_is_named_by_some_of_its_nodes():
    engine = parse_engine_url("redis+cluster://cms:p%40ss@one:7000,two,[::1]:7002")

    assert engine.kind == "cluster"
    assert engine.nodes == (("one", 7000), ("two", 6379), ("::1", 7002))
    assert engine.at("three", 7003) == "redis://cms:p%40ss@three:7003"


def test_a_primary_is_named_by_its_sentinels_and_its_service():
    engine = parse_engine_url("redis+sentinel://:secret@one,two:7001/newsroom/3?ssl_ca_certs=x")

    assert engine.kind == "sentinel"
    assert engine.nodes == (("one", 26379), ("two", 7001))
    assert engine.service == "newsroom"
    assert engine.at("three", 7003) == "redis://:secret@three:7003/3?ssl_ca_certs=x"


@pytest.mark.parametrize("kind", ["sentinel", "cluster"])
def test_an_s_means_tls_to_every_server(kind: str):
    engine = parse_engine_url(f"rediss+{kind}://one:7000/{'news' if kind == 'sentinel' else ''}")

    assert engine.at("two", 7001).startswith("rediss://two:7001")


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:p@host:1/0",
        "rediss://host:6380/0?ssl_cert_reqs=none",
        "redis+cluster://u:p@a:1,b:2",
        "rediss+sentinel://a:1,b:2/news/1",
    ],
)
def test_an_address_for_somebody_else_differs_in_the_login_only(url: str):
    other = parse_engine_url(url).over("me:mine")

    assert parse_engine_url(other).over(parse_engine_url(url).login) == url


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("redis+cluster://one:7000/3", "leave it out"),
        ("redis+cluster://one:70000", "redis+cluster://user:password@host:6379,host:6379"),
        ("redis+cluster://", "redis+cluster://user:password@host:6379,host:6379"),
        ("redis+sentinel://one:7000", "redis+sentinel://user:password@host:26379"),
        ("redis+sentinel://one:7000/news/x", "redis+sentinel://user:password@host:26379"),
        ("redis://one:7000,two:7000/0", "redis+cluster://user:password@host:6379,host:6379"),
        ("redis://u:p/w@host:6379", "what is special in them as %2F"),
        ("redis+magic://one:7000", "WRITETHRU_REDIS_URL"),
    ],
)
def test_a_wrong_address_is_refused_in_one_line_that_says_what_would_be_right(
    url: str, remedy: str
):
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"WRITETHRU_REDIS_URL": url})

    assert str(refused.value).startswith("WRITETHRU_REDIS_URL: ")
    assert remedy in str(refused.value)
    assert "\n" not in str(refused.value)
