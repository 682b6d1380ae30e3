"""The wrappers as scripts: each in the place of a program, which here only tells how it was called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.lab import LabError, floors
from tests.lab.base import Base
from tests.lab.floor.wrapper import CHECKS

_PROGRAM = '#!/bin/bash\nprintf "%s\\n" "really $(basename "$0")" "$@"\nexit 7\n'


@pytest.fixture
def base(tmp_path: Path) -> Base:
    """Hosts whose programs are fakes."""
    rootfs = tmp_path / "rootfs"
    (rootfs / "usr/bin").mkdir(parents=True)
    for name in CHECKS:
        (rootfs / "usr/bin" / name).write_text(_PROGRAM)
        (rootfs / "usr/bin" / name).chmod(0o755)
    return Base(tmp_path / "base", rootfs)


@pytest.fixture
def host(base: Base, tmp_path: Path) -> Path:
    """The same with the floor laid, used where it lies."""
    layer = tmp_path / "floor"
    lower = floors.lay(base, layer, seen_at=str(layer)).lower
    assert lower.split(":")[0] == str(layer)
    return layer / "usr/bin"


def call(program: Path, *words: str, name: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([name or str(program), *words], executable=program, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("podman", ["exec", "-i", "galera", "mysql", "-e", "SELECT 'a b'"]),
        ("systemd-run", ["--quiet", "-p", "Type=exec", "--", "true", ""]),
        ("systemctl", ["stop", "a.service"]),
    ],
)
def test_what_is_known_reaches_the_program_word_for_word(host: Path, name: str, words: list[str]) -> None:
    done = call(host / name, *words)
    assert (done.stdout, done.stderr, done.returncode) == ("\n".join([f"really {name}", *words, ""]), "", 7)


@pytest.mark.parametrize(
    ("name", "words", "said", "code"),
    [
        ("podman", ["exec", "--detach", "a", "b"], "Error: unknown flag: --detach\n", 125),
        ("podman", ["exec", "-d", "a", "b"], "Error: unknown shorthand flag: 'd' in -d\n", 125),
        ("systemd-run", ["-d", "true"], "systemd-run: invalid option -- 'd'\n", 1),
        ("systemctl", ["clean", "a"], "Unknown operation clean.\n", 1),
    ],
)
def test_what_is_newer_never_reaches_it(host: Path, name: str, words: list[str], said: str, code: int) -> None:
    done = call(host / name, *words)
    assert (done.stdout, done.stderr, done.returncode) == ("", said, code)


def test_podman_itself_may_clean_up_with_the_flags_of_its_own_version(host: Path, tmp_path: Path) -> None:
    conmon = tmp_path / "conmon"
    conmon.write_text('#!/bin/bash\n"$@"; exit $?\n')
    conmon.chmod(0o755)
    done = call(conmon, str(host / "podman"), "container", "cleanup", "--stopped-only", "a")
    assert done.stdout.startswith("really podman")
    assert call(host / "podman", "container", "cleanup", "--stopped-only", "a").returncode == 125


def test_every_wrapper_is_where_the_program_was_and_can_be_run(host: Path) -> None:
    assert {path.name for path in host.iterdir()} == set(CHECKS)
    assert all(os.access(path, os.X_OK) for path in host.iterdir())


def test_before_merged_directories_systemctl_is_in_bin(base: Base, tmp_path: Path) -> None:
    (base.rootfs / "bin").mkdir()
    (base.rootfs / "usr/bin/systemctl").rename(base.rootfs / "bin/systemctl")
    floors.lay(base, tmp_path / "floor")
    assert (tmp_path / "floor/bin/systemctl").is_file()
    assert not (tmp_path / "floor/usr/bin/systemctl").exists()


def test_hosts_without_a_program_get_no_floor(base: Base, tmp_path: Path) -> None:
    (base.rootfs / "usr/bin/systemd-run").unlink()
    with pytest.raises(LabError, match="no systemd-run"):
        floors.lay(base, tmp_path / "floor")


def test_without_a_floor_the_layers_are_those_of_the_cache(base: Base) -> None:
    assert base.lower == f"{base.path}/layer:{base.rootfs}"
