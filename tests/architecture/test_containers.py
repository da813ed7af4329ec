"""The image and the compose file: well formed, and no more allowed than a service needs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "docker-compose.yml"
STACK: Mapping[str, Any] = YAML(typ="safe").load(COMPOSE)
SERVICES: Mapping[str, Mapping[str, Any]] = STACK["services"]

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

    assert doors.keys() == {"ingest", "deliver"}
    for (port,) in doors.values():
        assert re.fullmatch(r"\$\{\w+:-127\.0\.0\.1:\d+\}:\d+", port)


def test_only_those_with_doors_have_a_way_out() -> None:
    outside = {name for name, network in STACK["networks"].items() if not network.get("internal")}
    out = {name for name, service in SERVICES.items() if outside & set(service["networks"])}

    assert out == {"ingest", "deliver"}


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
