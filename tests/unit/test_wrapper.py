"""The wrapper `./writethru`: one command on a fresh machine, whatever went wrong before.

Most tests give it a stand-in for uv, so that nothing is fetched; the last ones use the real pip.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib.util
import os
import subprocess
import sys
import textwrap
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.waiting import until_sync

WRAPPER = Path(__file__).parents[2] / "writethru"

SHOW = "import os, sys; print({what!r}, sys.argv[1:], 'in', os.getcwd())\n"

#: Instead of uv: writes down what it was asked to do, then does what the test wants of it.
UV = """#!/bin/sh
echo "$*" >> {folder}/installs
{then}
"""


@dataclass
class Project:
    """A copy of the wrapper with a program of its own, and a folder that comes first on PATH."""

    root: Path
    path: Path
    caller: Path

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        with self.start(*words, **environ) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        return self.python(str(self.root / "writethru"), *words, **environ)

    def python(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.caller,
            env={"PATH": f"{self.path}:/usr/bin:/bin", "HOME": str(self.root), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pretending(self, pretence: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the wrapper on a Python that was changed first, with nothing but ours on PATH."""
        program = f"""
            import runpy, sys
            sys.argv = ["writethru", *{words!r}]
            {pretence}
            runpy.run_path({str(self.root / "writethru")!r}, run_name="__main__")
        """
        with self.python("-c", textwrap.dedent(program), PATH=str(self.path)) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def uv(self, then: str = "") -> None:
        uv = self.path / "uv"
        uv.write_text(UV.format(folder=self.path, then=then))
        uv.chmod(0o755)

    @property
    def installs(self) -> list[str]:
        log = self.path / "installs"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def packages(self) -> Path:
        (found,) = self.root.glob(".venv/lib/python*/site-packages")
        return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "a project"
    cli = root / "services" / "cli"
    cli.mkdir(parents=True)
    (cli / "__main__.py").write_text(SHOW.format(what="program"))
    (root / "pytest.py").write_text(SHOW.format(what="tests"))
    (root / "writethru").write_text(WRAPPER.read_text())
    (root / "requirements.lock").write_text("# nothing\n")
    (root / "requirements-test.lock").write_text("# nothing but tests\n")
    for folder in ("bin", "caller"):
        (tmp_path / folder).mkdir()
    return Project(root, tmp_path / "bin", tmp_path / "caller")


def test_a_command_runs_in_the_callers_folder_after_an_install_with_hashes(
    project: Project,
) -> None:
    project.uv()

    ran = project.run("publish", "here.json")

    assert ran.stdout == f"program ['publish', 'here.json'] in {project.caller}\n"
    (install,) = project.installs
    assert "--require-hashes -r " in install
    assert install.endswith("/requirements.lock")


def test_progress_goes_to_standard_error_as_plain_lines_off_a_terminal(project: Project) -> None:
    project.uv()

    ran = project.run("page")

    assert "installing the packages" in ran.stderr
    assert "\r" not in ran.stderr
    assert all(line.startswith("writethru: ") for line in ran.stderr.splitlines())


def test_a_second_start_runs_no_installer_and_says_nothing(project: Project) -> None:
    project.uv()
    project.run("first")

    ran = project.run("second")

    assert ran.stderr == ""
    assert len(project.installs) == 1


def test_test_runs_pytest_in_the_projects_folder_with_the_test_lock(project: Project) -> None:
    project.uv()

    ran = project.run("test", "-k", "engine")

    assert ran.stdout == f"tests ['-k', 'engine'] in {project.root}\n"
    assert project.installs[0].endswith("/requirements-test.lock")


def test_a_command_after_the_tests_needs_no_second_install(project: Project) -> None:
    project.uv()
    project.run("test")

    project.run("demo")

    assert len(project.installs) == 1


def test_a_folder_named_like_ours_where_the_caller_stands_is_not_run(project: Project) -> None:
    project.uv()
    theirs = project.caller / "services" / "cli"
    theirs.mkdir(parents=True)
    (theirs / "__main__.py").write_text(SHOW.format(what="theirs"))

    assert project.run().stdout.startswith("program ")


def test_a_changed_lock_is_installed_into_a_fresh_environment(project: Project) -> None:
    project.uv()
    project.run()
    (project.packages / "dropped.py").touch()
    (project.root / "requirements.lock").write_text("# changed\n")

    project.run()

    assert len(project.installs) == 2
    assert not (project.packages / "dropped.py").exists()


def test_a_moved_project_gets_an_environment_of_its_own(project: Project) -> None:
    project.uv()
    project.run()
    project.root = project.root.rename(project.root.with_name("moved"))

    ran = project.run("page")

    assert ran.stdout.startswith("program ['page']")
    assert len(project.installs) == 2


def test_an_install_that_was_cut_off_is_begun_again_from_nothing(project: Project) -> None:
    project.uv(then="touch .venv/half; kill -9 $PPID")
    cut_off = project.run("demo")
    assert (project.root / ".venv" / "half").exists()
    project.uv()

    ran = project.run("demo")

    assert cut_off.returncode == -9
    assert ran.stdout.startswith("program ['demo']")
    assert not (project.root / ".venv" / "half").exists()


def test_an_environment_whose_python_is_gone_is_made_again(project: Project) -> None:
    project.uv()
    project.run()
    python = project.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(project.root / "gone")

    assert project.run("demo").stdout.startswith("program ['demo']")


def test_a_failed_install_is_one_line_with_its_reason_and_the_log(project: Project) -> None:
    project.uv(then="echo 'error: Failed to fetch: the network is away'; exit 2")

    ran = project.run("demo")

    assert ran.returncode == 1
    assert ran.stdout == ""
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("writethru: installing the packages failed: ")
    assert "the network is away" in last
    assert "install.log" in last
    assert "Traceback" not in ran.stderr


def test_a_failed_download_for_the_tests_leaves_the_program_usable(project: Project) -> None:
    project.uv()
    project.run("demo")
    project.uv(then="exit 2")

    failed = project.run("test")
    ran = project.run("demo")

    assert failed.returncode == 1
    assert ran.stdout.startswith("program ['demo']")
    assert len(project.installs) == 2


def test_tests_whose_install_broke_half_way_make_the_next_start_begin_afresh(
    project: Project,
) -> None:
    project.uv()
    project.run("demo")
    project.uv(then="cd .venv/lib/python*/site-packages; touch half; exit 2")
    project.run("test")
    assert (project.packages / "half").exists()
    project.uv()

    project.run("demo")

    assert not (project.packages / "half").exists()
    assert len(project.installs) == 3


def test_two_first_starts_at_once_install_once(project: Project) -> None:
    go = project.path / "go"
    project.uv(then=f'until [ -e "{go}" ]; do sleep 0.02; done')
    with project.start("demo") as first:
        until_sync(lambda: project.installs)
        with project.start("page") as second:
            assert second.stderr
            told = second.stderr.readline()
            go.touch()
            second.stderr.read()
        first.communicate()

    assert told == "writethru: another start is installing; waiting for it\n"
    assert first.returncode == second.returncode == 0
    assert len(project.installs) == 1


def test_the_wrapper_parses_on_a_python_that_is_too_old() -> None:
    ast.parse(WRAPPER.read_text(), feature_version=(3, 6))


ON_3_9 = "sys.version_info = (3, 9, 2)"


def test_an_old_python_without_a_newer_one_says_so_in_one_line(project: Project) -> None:
    ran = project.pretending(ON_3_9, "demo")

    assert ran.returncode == 1
    assert ran.stderr == (
        "writethru: needs Python 3.11 or later, and this is 3.9: install one and run it again\n"
    )


def test_an_old_python_hands_over_to_a_newer_one_on_path(project: Project) -> None:
    shim = project.path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    newer = project.path / "python3.12"
    newer.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "3.12 runs $2 $3"\n')
    for program in (shim, newer):
        program.chmod(0o755)

    assert project.pretending(ON_3_9, "page", "slug").stdout == "3.12 runs page slug\n"


def test_a_python_that_can_install_nothing_says_what_to_install(project: Project) -> None:
    ran = project.pretending('sys.modules["ensurepip"] = sys.modules["pip"] = None', "demo")

    assert ran.returncode == 1
    assert "sudo apt install python3-venv" in ran.stderr.splitlines()[-1]
    assert "Traceback" not in ran.stderr


# In CI this is not skipped, and fails instead.
needs_pip = pytest.mark.skipif(
    not importlib.util.find_spec("ensurepip") and os.environ.get("CI") != "true",
    reason="needs ensurepip (Debian: python3-venv)",
)


def tiny_wheel(folder: Path) -> str:
    """Make the package `tiny` and return its hash."""
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    files = {
        "tiny.py": "SIZE = 1\n",
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(f"{name},{_record(text)}\n" for name, text in files.items())
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr("tiny-1.0.dist-info/RECORD", f"{record}tiny-1.0.dist-info/RECORD,,\n")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def _record(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.decode().rstrip('=')},{len(text.encode())}"


def with_pip(project: Project, sha256: str) -> subprocess.CompletedProcess[str]:
    (project.root / "requirements.lock").write_text(f"tiny==1.0 --hash=sha256:{sha256}\n")
    (project.root / "services" / "cli" / "__main__.py").write_text(
        "import tiny; print('tiny is', tiny.SIZE)\n"
    )
    environ = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    return project.run(PIP_FIND_LINKS=str(project.path), **environ)


@needs_pip
def test_pip_installs_what_the_lock_lists(project: Project) -> None:
    sha256 = tiny_wheel(project.path)

    ran = with_pip(project, sha256)

    assert ran.stdout == "tiny is 1\n"


@needs_pip
def test_pip_refuses_a_file_whose_hash_is_not_the_locks(project: Project) -> None:
    tiny_wheel(project.path)

    ran = with_pip(project, "0" * 64)

    assert ran.returncode == 1
    assert ran.stdout == ""
    last = ran.stderr.splitlines()[-1]
    assert "DO NOT MATCH THE HASHES" in last
    assert "Traceback" not in ran.stderr
