"""A copy becomes a directory, whole or not at all; what is wrong with it is told apart from what is wrong with its host."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from blocks.remote.errors import HostError
from tasks.database.prepared_copy import Preparation, Prepared, is_hosts_fault, parse_prepared
from tests.unit.fakes import LocalShell

COPY = b"the files" * 10_000
# The container's side: what it would run, with programs that stand in for MariaDB's.
_PODMAN = """#!/bin/bash
[ "$1" = run ] || exit 0
echo "$*" >>"{folder}/podman.log"
for word; do case $word in --volume=*) data=${{word#--volume=}} data=${{data%:/var/lib/mysql:Z}} ;; esac; done
while [ "$1" != bash ]; do shift; done
exec "${{@//\\/var\\/lib\\/mysql/$data}}"
"""
_MBSTREAM = 'cat >files; echo "server_version = 10.3.28-MariaDB-log" >xtrabackup_info'
_PREPARE = 'echo "$*" >>"{folder}/prepare.log"; echo "[00] completed OK!" >&2'


@dataclass(frozen=True)
class Host:
    """A host with an image.

    Attributes:
        folder: For all of it.
    """

    folder: Path

    @property
    def preparation(self) -> Preparation:
        """Where a copy is prepared on it."""
        return Preparation(
            "sha256:0a1b", "drill", str(self.folder / "data"), str(self.folder / "said"), "verify-backup"
        )

    def with_program(self, name: str, text: str) -> None:
        """Put a program there."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/bash\n{text.format(folder=self.folder)}\n")
        path.chmod(0o755)

    def prepare(self, data: bytes, *unpack: str, stream: bool = False) -> Prepared:
        """Prepare a copy that lies there, or that is streamed."""
        source = self.folder / "copy"
        source.write_bytes(data)
        words = self.preparation.words("/dev/stdin" if stream else str(source), unpack or ("cat",))
        environment = {**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(words, input=data if stream else b"", env=environment, capture_output=True)
        assert done.returncode == 0, done.stderr
        return self.preparation.read(LocalShell())

    @property
    def left(self) -> list[str]:
        """What lies there besides what was there before."""
        ours = {"bin", "copy", "said", "podman.log", "prepare.log"}
        return sorted({path.name for path in self.folder.iterdir()} - ours)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/podman").write_text(_PODMAN.format(folder=tmp_path))
    (tmp_path / "bin/podman").chmod(0o755)
    made = Host(tmp_path)
    made.with_program("mbstream", _MBSTREAM)
    made.with_program("mariadb-backup", _PREPARE)
    made.with_program("chown", 'echo "$*" >"{folder}/bin/owner"')
    return made


@pytest.mark.parametrize("stream", [False, True])
def test_the_files_are_in_the_directory_and_belong_to_mysql(stream: bool, host: Host) -> None:
    packed = gzip.compress(COPY)
    made = host.prepare(packed, "gzip", "-dc", stream=stream)
    assert (host.folder / "data/files").read_bytes() == COPY
    assert (made.sha256, made.problems) == (hashlib.sha256(packed).hexdigest(), ())
    assert (made.version, made.position) == ("10.3.28-MariaDB-log", "")
    assert 0 < made.seconds < 20
    assert host.left == ["data"]
    assert (host.folder / "bin/owner").read_text() == f"-R mysql:mysql {host.folder}/data.part\n"
    assert f"--prepare --target-dir={host.folder}/data.part" in (host.folder / "prepare.log").read_text()


def test_its_container_has_no_network_and_the_directory_alone(host: Host) -> None:
    host.prepare(COPY)
    run = (host.folder / "podman.log").read_text()
    assert "run --rm -i --network=none --name=drill --user=root" in run
    assert run.count("--volume=") == 1


@pytest.mark.parametrize("file", ["xtrabackup_galera_info", "mariadb_backup_galera_info"])
def test_the_position_in_the_cluster_is_read(file: str, host: Host) -> None:
    host.with_program(
        "mbstream", f'cat >/dev/null; echo "5f0c:42 0-1-7" >{file}; echo "server_version = 11.8.9" >mariadb_backup_info'
    )
    made = host.prepare(COPY)
    assert (made.version, made.position) == ("11.8.9", "5f0c:42")


def test_what_is_half_made_is_made_anew_and_what_is_there_is_not_touched(host: Host) -> None:
    (host.folder / "data.part").mkdir()
    (host.folder / "data.part/ibdata1").write_text("of a run that was killed")
    assert host.prepare(COPY).problems == ()
    assert not (host.folder / "data/ibdata1").exists()
    words = host.preparation.words(str(host.folder / "copy"), ("cat",))
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (73, f"{host.folder}/data is there already\n")
    assert (host.folder / "data/files").read_bytes() == COPY


def test_a_stream_that_can_not_be_decompressed_is_told_and_leaves_nothing(host: Host) -> None:
    packed = gzip.compress(COPY)
    made = host.prepare(packed[:-20], "gzip", "-dc")
    assert made.problems == ("the copy can't be decompressed",)
    assert made.sha256 == hashlib.sha256(packed[:-20]).hexdigest()
    assert host.left == []


@pytest.mark.parametrize(
    ("program", "text", "said"),
    [
        ("mbstream", "echo 'invalid checksum' >&2; exit 1", "the copy can't be unpacked: invalid checksum"),
        ("mbstream", "exit 1", "the copy can't be unpacked: mbstream has failed"),
        (
            "mariadb-backup",
            "echo 'FATAL ERROR: no file' >&2; exit 1",
            "the copy can't be prepared: FATAL ERROR: no file",
        ),
        ("mariadb-backup", "exit 1", "the copy can't be prepared: mariadb-backup has failed"),
    ],
)
def test_what_the_programs_refuse_is_told_and_the_whole_file_is_read(
    program: str, text: str, said: str, host: Host
) -> None:
    host.with_program(program, text)
    packed = gzip.compress(COPY * 100)
    made = host.prepare(packed, "gzip", "-dc")
    assert (made.problems, made.sha256) == ((said,), hashlib.sha256(packed).hexdigest())
    assert host.left == []


@pytest.mark.parametrize(
    ("program", "text", "said"),
    [
        ("mbstream", "echo 'Error writing (Errcode: 28 \"No space left\")' >&2; exit 1", "No space left"),
        ("mariadb-backup", "echo 'ERROR: Cannot allocate 512M' >&2; exit 1", "Cannot allocate"),
        ("mariadb-backup", "kill -KILL $PPID", "its container ended with code 137"),
        ("podman", "[ $1 = run ] || exit 0; echo 'Error: no such image' >&2; exit 125", "no such image"),
        ("podman", "[ $1 = run ] || exit 0; exit 61", "the image has no mariadb-backup"),
    ],
)
def test_what_is_the_hosts_fault_is_an_error_and_no_finding(program: str, text: str, said: str, host: Host) -> None:
    host.with_program(program, text)
    with pytest.raises(HostError, match=said):
        host.prepare(COPY)
    assert host.left == []


def test_a_preparation_that_has_left_no_word_is_an_error() -> None:
    with pytest.raises(HostError, match="no word of how it ended"):
        parse_prepared("here", "")
    with pytest.raises(HostError, match="could not be read to its end"):
        parse_prepared("here", "codes\t1 0 0\n")


@pytest.mark.parametrize(
    ("error", "hosts"),
    [
        ('Error writing file (Errcode: 28 "No space left on device")', True),
        ("InnoDB: Operating system error number 28 in a file operation.", True),
        ("InnoDB: Cannot allocate memory for the buffer pool", True),
        ("xb_stream_read_chunk(): invalid checksum at offset 0x28: expected 0x12, read 0x28.", False),
        ("Can't open backup-my.cnf for reading", False),
    ],
)
def test_room_and_memory_are_the_hosts(error: str, hosts: bool) -> None:
    assert is_hosts_fault(error) is hosts


def test_what_a_cleanup_removes_is_the_container_and_what_is_half_made(host: Host) -> None:
    for name in ("data", "data.part"):
        (host.folder / name).mkdir()
    for _ in range(2):
        environment = {**os.environ, "PATH": f"{host.folder / 'bin'}:{os.environ['PATH']}"}
        subprocess.run(host.preparation.remove_words, env=environment, check=True)
    assert host.left == ["data"]
