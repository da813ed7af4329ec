"""What `doctor` says of who could reach what they should not, and of what could end the engine."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from services.cli.safety import Safety, is_loose, memory_limit, safety_findings
from shared.article.fold import FOLD_REVISION
from shared.runtime.default_user import DefaultUser

MIB = 1024**2
SHUT = DefaultUser(enabled=False, nopass=False, everything=True)
OPEN = DefaultUser(enabled=True, nopass=True, everything=True)


def judged(**facts: Any) -> dict[str, str]:
    findings = list(safety_findings(Safety(**{"user": SHUT} | facts)))
    assert all(each.remedy for each in findings if each.level != "ok")
    return {each.about: each.level for each in findings if each.level != "ok"}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, {}),
        ({"user": None}, {"users": "warning"}),
        ({"user": OPEN._replace(local=True)}, {}),
        ({"user": OPEN._replace(local=False)}, {"users": "error"}),
        ({"user": OPEN._replace(local=None)}, {"users": "warning"}),
        ({"user": OPEN._replace(nopass=False, local=False)}, {"users": "warning"}),
        ({"user": OPEN._replace(nopass=False, everything=False, local=False)}, {}),
        # As a bare `user default off` makes it: the next start would lose what scripts wrote.
        ({"user": SHUT._replace(everything=False)}, {"users": "error"}),
        ({"user": SHUT._replace(everything=False, valkey=True)}, {}),
        ({"limit": 512 * MIB, "maxmemory": 256 * MIB}, {}),
        ({"limit": 512 * MIB, "maxmemory": 257 * MIB}, {"limit": "warning"}),
        ({"limit": 512 * MIB, "maxmemory": 512 * MIB}, {"limit": "error"}),
        ({"limit": 512 * MIB, "used": 12 * MIB}, {}),
        ({"limit": 512 * MIB, "used": 300 * MIB}, {"limit": "warning"}),
        ({"loose": (Path("/run/redis-url"),)}, {"files": "warning"}),
        ({"revision": FOLD_REVISION}, {}),
        ({"revision": FOLD_REVISION + 1}, {"writethru": "error"}),
    ],
)
def test_what_endangers_an_installation_is_told_with_its_remedy(facts: Any, expected: Any) -> None:
    assert judged(**facts) == expected


def test_a_file_that_everybody_may_read_is_loose_unless_its_folder_keeps_them_out() -> None:
    # pytest's own folders are for their owner alone
    with TemporaryDirectory(dir="/tmp") as name:
        folder, secret = Path(name), Path(name, "redis-url")
        secret.write_text("redis://:secret@engine")
        folder.chmod(0o755)

        secret.chmod(0o644)
        assert is_loose(secret)
        secret.chmod(0o640)
        assert not is_loose(secret)
        secret.chmod(0o644)
        folder.chmod(0o700)
        assert not is_loose(secret)
        assert not is_loose(folder / "nowhere")


@pytest.mark.parametrize(
    ("lines", "limits", "least"),
    [
        (["0::/app/engine"], {"app/memory.max": "1000", "app/engine/memory.max": "max"}, 1000),
        (["0::/"], {"memory.max": "5000"}, 5000),
        (["0::/app"], {}, None),
        (
            ["4:cpu,memory:/app", "0::/"],
            {
                "memory/app/memory.limit_in_bytes": "700",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            700,
        ),
        (["4:memory:/"], {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
    ],
)
def test_the_least_limit_of_a_process_groups_counts(
    tmp_path: Path, lines: list[str], limits: dict[str, str], least: int | None
) -> None:
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/cgroup").write_text("\n".join(lines))
    for place, said in limits.items():
        file = tmp_path / "cgroup" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{said}\n")

    assert memory_limit(7, tmp_path / "proc", tmp_path / "cgroup") == least
    assert memory_limit(8, tmp_path / "proc", tmp_path / "cgroup") is None
