"""The override that puts the stack on a cluster: as tight and as durable as the one engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ruamel.yaml import YAML

from shared.runtime.durability import NEEDED
from shared.runtime.engine_url import parse_engine_url
from tests.architecture.test_containers import ROOT, SERVICES, tool

OVERRIDE = ROOT / "docker-compose.cluster.yml"
MANY: Mapping[str, Any] = YAML(typ="safe").load(OVERRIDE)
#: The first node is what docker-compose.yml has under its name, too.
_BEFORE = {"redis": SERVICES["redis"]}
NODES = {
    name: {**_BEFORE.get(name, {}), **service}
    for name, service in MANY["services"].items()
    if "redis" in name
}

each_node = pytest.mark.parametrize("node", NODES.values(), ids=NODES)


def test_the_override_is_one_by_the_compose_schema() -> None:
    checked = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", OVERRIDE.name)

    assert checked.returncode == 0, checked.stdout + checked.stderr


@each_node
def test_a_node_is_contained_as_the_one_engine_is(node: Mapping[str, Any]) -> None:
    one = SERVICES["redis"]
    for name in ("image", "user", "cap_drop", "read_only", "security_opt", "pids_limit"):
        assert node[name] == one[name]
    for name in ("mem_limit", "healthcheck", "restart", "logging", "stop_grace_period"):
        assert node[name] == one[name]
    # Compose makes anew whatever depends on what it makes anew; the engine is to go on.
    assert "depends_on" not in node
    assert "ports" not in node


@each_node
def test_a_node_has_the_one_engines_settings_and_belongs_to_a_cluster(
    node: Mapping[str, Any],
) -> None:
    first, *words = node["command"]
    settings = dict(zip(words[0::2], words[1::2], strict=True))
    of_one = SERVICES["redis"]["command"]

    assert first == "/secrets/engine/replica.conf"
    assert settings.items() >= dict(zip(of_one[0::2], of_one[1::2], strict=True)).items()
    assert {name: settings[f"--{name}"] for name in NEEDED} == NEEDED
    assert settings["--cluster-enabled"] == "yes"


def test_what_compose_would_add_up_is_said_once() -> None:
    # Compose refuses a list that names a thing twice.
    assert not {"cap_drop", "security_opt"} & MANY["services"]["redis"].keys()


def test_each_node_has_its_own_address_and_data() -> None:
    addresses = {node["networks"]["inside"]["ipv4_address"] for node in NODES.values()}
    data = {volume for node in NODES.values() for volume in node["volumes"] if "/data" in volume}

    assert len(NODES) == 6
    assert len(addresses) == 6
    assert {volume.partition(":")[0] for volume in data} == MANY["volumes"].keys()
    assert not MANY["volumes"].keys() & {"ledger"}


def test_the_users_are_made_for_all_nodes_and_everybody_waits_until_they_are_one() -> None:
    services = MANY["services"]
    engine = parse_engine_url(services["setup"]["command"][-1])

    assert engine.kind == "cluster"
    assert {host for host, _ in engine.nodes} == NODES.keys()
    assert services["assemble"]["depends_on"].keys() == {"setup", *NODES}
    for name in ("ingest", "render", "deliver", "writethru"):
        waits = services[name]["depends_on"]
        assert waits == {"assemble": {"condition": "service_completed_successfully"}}


def test_who_makes_the_cluster_is_contained_as_the_command_line_is() -> None:
    ours, made = SERVICES["writethru"], MANY["services"]["assemble"]

    for name in ours.keys() - {"profiles", "depends_on", "env_file", "command", "volumes"}:
        assert made[name] == ours[name]
    # It needs its secret alone, and no article.
    assert made["volumes"] == ["operator-secret:/secrets/operator:ro"]
