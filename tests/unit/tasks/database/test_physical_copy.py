"""A physical copy is a stream whose failure is told, and which ends when it is ended."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from tasks.database.dumping import COMPRESSORS
from tasks.database.mariadb import Server
from tasks.database.physical_copy import copy_pipeline, copy_words, end_copy_words, find_program
from tests.unit.fakes import FakeShell

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "backup-control-plane")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("/usr/bin/mariadb-backup\n", ("/usr/bin/mariadb-backup", "")),
        ("mariadb-backup is not in the image\n", ("", "mariadb-backup is not in the image")),
        ("", ("", "the container does not answer")),
    ],
)
def test_the_program_is_looked_for_in_the_image(said: str, found: tuple[str, str]) -> None:
    shell = (
        FakeShell()
        .on("podman exec", "mariabackup", say=said)
        .on("podman run", "mbstream", say="/usr/bin/mariadb-backup\n")
    )
    assert find_program(shell, SERVER, "sha256:0a1b") == found


@pytest.mark.parametrize("said", ["missing\n", ""])
def test_a_program_that_is_not_in_the_image_could_not_restore_what_it_copies(said: str) -> None:
    shell = FakeShell().on("podman exec", "mariabackup", say="/usr/bin/mariadb-backup\n")
    shell.on("podman run", "--network=none", "mbstream", say=said)
    program, why_not = find_program(shell, SERVER, "sha256:0a1b")
    assert program == ""
    assert why_not == "mariadb-backup is in the container and not in its image, in which a copy is restored"


def test_the_position_is_asked_for_where_there_is_a_cluster() -> None:
    assert "--galera-info" in copy_words(SERVER, "/usr/bin/mariadb-backup", galera=True)
    assert "--galera-info" not in copy_words(SERVER, "/usr/bin/mariadb-backup", galera=False)
    assert not [word for word in copy_words(SERVER, "x", galera=True) if word.startswith(("-p", "--password"))]


def in_folder(script: str, folder: Path) -> str:
    return script.replace("/tmp/openstack-runbooks-copy", str(folder / "copy"))


def copy(folder: Path, program: str) -> subprocess.CompletedProcess[bytes]:
    """What happens in the container, with a program that stands in for mariadb-backup."""
    (folder / "program").write_text(f"#!/bin/bash\n{program}\n")
    (folder / "program").chmod(0o755)
    words = copy_words(SERVER, str(folder / "program"), galera=True)[3:]
    words = tuple(in_folder(word, folder) for word in words)
    pipeline = copy_pipeline(COMPRESSORS[-1])
    return subprocess.run(["bash", "-o", "pipefail", "-c", pipeline, "copy", *words], capture_output=True, timeout=30)


def test_what_the_program_writes_is_sent_and_its_folder_goes(tmp_path: Path) -> None:
    done = copy(tmp_path, 'target="${@: -1}"; mkdir "${target#*=}"; echo files; echo "[00] completed OK!" >&2')
    assert (done.returncode, gzip.decompress(done.stdout)) == (0, b"files\n")
    assert done.stderr == b"[00] completed OK!\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program"]


def test_a_program_that_fails_fails_the_copy_and_leaves_nothing(tmp_path: Path) -> None:
    assert copy(tmp_path, "echo half; echo 'completed OK!' >&2; exit 7").returncode == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program"]


@pytest.mark.parametrize("said", ["", "echo '[00] FATAL ERROR: x' >&2", "echo 'completed OK!' >&2; echo more >&2"])
def test_a_copy_whose_program_does_not_say_that_it_is_whole_fails(said: str, tmp_path: Path) -> None:
    done = copy(tmp_path, f"echo half; {said}")
    assert done.returncode == 1
    assert b"the copy is not whole: its program has not said so" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program"]


def test_ending_a_copy_ends_all_of_it(tmp_path: Path) -> None:
    end = in_folder(end_copy_words(SERVER)[-1], tmp_path)
    with subprocess.Popen(["bash", "-c", "sleep 300 & wait"], start_new_session=True) as running:
        (tmp_path / "copy.pid").write_text(str(running.pid))
        assert subprocess.run(["bash", "-c", end]).returncode == 0
        assert running.wait(10) != 0
    assert subprocess.run(["bash", "-c", end]).returncode != 0, "there is none any more"
