"""The image, the compose file and its settings: well formed, documented, and tight."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from shared.runtime.durability import NEEDED
from shared.runtime.engine_acl import USERS
from shared.runtime.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "docker-compose.yml"
STACK: Mapping[str, Any] = YAML(typ="safe").load(COMPOSE)
SERVICES: Mapping[str, Mapping[str, Any]] = STACK["services"]

EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
DOCUMENTED = dict(re.findall(r"^#(\w+)=(.*)$", EXAMPLE, re.MULTILINE))
#: What goes on until somebody stops it.
LASTING = ("redis", "ingest", "render", "deliver", "prometheus", "grafana")
#: What runs only if it is asked for.
PROFILES = {
    "writethru": ["tools"],
    "prometheus": ["observability"],
    "grafana": ["observability"],
    "grafana-password": ["observability"],
}

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def tool(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name(name)
    return subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_compose_file_is_one_by_the_compose_schema() -> None:
    checked = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE.name)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_dockerfile_has_nothing_that_its_linter_minds() -> None:
    linted = tool("hadolint", DOCKERFILE.name)

    assert linted.returncode == 0, linted.stdout + linted.stderr


@each_service
def test_a_container_can_do_nothing_but_its_work(service: Mapping[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode"}


@each_service
def test_a_container_runs_as_a_numbered_user_who_is_not_root(service: Mapping[str, Any]) -> None:
    user, group = service["user"].split(":")

    assert int(user) > 0
    assert int(group) > 0


@each_service
def test_a_container_has_limits(service: Mapping[str, Any]) -> None:
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_only_what_the_outside_needs_is_open_and_only_to_this_machine() -> None:
    doors = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert doors.keys() == {"ingest", "deliver", "grafana"}
    for (port,) in doors.values():
        assert re.fullmatch(r"\$\{\w+:-127\.0\.0\.1:\d+\}:\d+", port)


def test_only_those_with_doors_have_a_way_out() -> None:
    outside = {name for name, network in STACK["networks"].items() if not network.get("internal")}
    out = {name for name, service in SERVICES.items() if outside & set(service["networks"])}

    assert out == {"ingest", "deliver", "grafana"}


def test_who_reads_figures_reaches_those_who_have_them_and_not_the_engine() -> None:
    of = {name: set(service["networks"]) for name, service in SERVICES.items()}

    for name in ("ingest", "render", "deliver"):
        assert "metrics" in of[name]
    assert of["prometheus"] == {"metrics", "charts"}
    assert of["grafana"] == {"charts", "desk"}
    for name in ("prometheus", "grafana", "grafana-password"):
        assert not of[name] & of["redis"]


def test_what_should_run_is_started_again_and_asked_whether_it_is_well() -> None:
    for name, service in SERVICES.items():
        lasting = name in LASTING
        assert service["restart"] == ("always" if lasting else "no")
        assert ("healthcheck" in service) == lasting
        assert service.get("profiles") == PROFILES.get(name)


def test_what_needs_the_engine_waits_until_its_users_are_made_and_it_is_well() -> None:
    waiting = {
        "setup": {"condition": "service_completed_successfully"},
        "redis": {"condition": "service_healthy"},
    }
    for name in ("ingest", "render", "deliver", "writethru"):
        assert SERVICES[name]["depends_on"].items() >= waiting.items()
    # Compose makes anew whatever depends on what it makes anew; the engine is to go on.
    assert "depends_on" not in SERVICES["redis"]


def test_the_engine_keeps_what_fsync_promises_and_knows_only_its_users() -> None:
    words = SERVICES["redis"]["command"]
    settings = dict(zip(words[0::2], words[1::2], strict=True))

    assert {name: settings[f"--{name}"] for name in NEEDED} == NEEDED
    assert settings["--aclfile"] == "/secrets/engine/users.acl"


def test_everybody_gets_the_one_secret_that_is_for_them() -> None:
    secrets = {
        name: [volume for volume in service.get("volumes", ()) if "/secrets/" in volume]
        for name, service in SERVICES.items()
    }
    made = secrets.pop("setup")
    assert secrets.pop("grafana-password") == ["grafana-secret:/secrets/grafana"]
    assert secrets.pop("grafana") == ["grafana-secret:/secrets/grafana:ro"]
    assert secrets.pop("prometheus") == []

    assert {volume.split("/secrets/")[1] for volume in made} == {"engine", *USERS}
    assert secrets.pop("redis") == ["users:/secrets/engine:ro"]
    for name, found in secrets.items():
        user = "operator" if name == "writethru" else name
        assert found == [f"{user}-secret:/secrets/{user}:ro"]
        url = SERVICES[name]["environment"]["WRITETHRU_REDIS_URL_FILE"]
        assert url == f"/secrets/{user}/redis-url"


def test_the_image_has_a_folder_for_each_secret() -> None:
    (made,) = re.findall(r"install -d .*?(?=\nCOPY)", DOCKERFILE.read_text("utf-8"), re.DOTALL)

    assert set(re.findall(r"/secrets/(\w+)", made)) == {"engine", "grafana", *USERS}


def test_no_password_is_in_the_compose_file_and_what_is_mounted_from_here_is_only_read() -> None:
    grafana = SERVICES["grafana"]

    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/secrets/grafana/password"
    assert not [name for name in grafana["environment"] if name.endswith("PASSWORD")]
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source, _, mode = volume.split(":") if volume.count(":") == 2 else (volume, "", "")
            if source.startswith("."):
                assert (ROOT / source).is_dir()
                assert mode == "ro"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_example_has_every_setting_with_its_default(name: str) -> None:
    variable = PREFIX + name.upper()
    said = DOCUMENTED[variable]

    default = Settings.model_fields[name].default
    if said:
        assert getattr(Settings.from_env({variable: said}), name) == default
    else:
        assert default is None


#: Read by a library of the services.
OTHERS = ("OTEL_EXPORTER_OTLP_ENDPOINT",)


def test_the_example_has_everything_that_the_compose_files_ask_for_with_its_default() -> None:
    files = (COMPOSE, ROOT / "docker-compose.cluster.yml")
    text = "".join(file.read_text("utf-8") for file in files)
    asked = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))

    assert asked == {name: DOCUMENTED[name] for name in asked}
    known = {*asked, *OTHERS, *(PREFIX + name.upper() for name in Settings.model_fields)}
    assert DOCUMENTED.keys() == known


def test_the_example_sets_nothing_and_says_what_is_set_elsewhere() -> None:
    assert all(line.startswith("#") for line in EXAMPLE.splitlines() if line)

    _, elsewhere = EXAMPLE.split("docker-compose.yml sets these")
    for name in ("ingest", "render", "deliver"):
        for variable in SERVICES[name]["environment"]:
            assert f"#{variable.removesuffix('_FILE')}=" in elsewhere


def test_the_dockerfile_makes_an_image_for_a_numbered_user_who_is_not_root() -> None:
    users = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)

    assert users
    assert int(users[-1][0]) > 0


def test_images_have_a_tag_and_no_digest() -> None:
    # A digest names one registry's copy; a mirror, or an image made from source, has another.
    images = re.findall(r"^FROM (\S+)", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    images += [service["image"] for service in SERVICES.values()]

    for image in images:
        assert ":" in image
        assert "@" not in image


def test_the_dockerfile_needs_no_frontend_from_a_registry() -> None:
    assert "# syntax" not in DOCKERFILE.read_text("utf-8")
