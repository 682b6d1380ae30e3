"""The documented files are complete, or what was there before: the shell of writing them, run for real."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed
from tasks.database.documented_dump import documented_dump, schemas_words, whole_server_words, write_grants_file
from tasks.database.mariadb import Server
from tests.unit.fakes import LocalShell

SERVER = Server("mysql", "/var/lib/mysql", "/root/.my.cnf", "backup-undercloud")
WHOLE = "echo 'CREATE DATABASE x;'; echo '-- Dump completed on 2026-11-27  3:00:00'"


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def write(dump: str, file: Path) -> int:
    long = documented_dump(SERVER, ("bash", "-c", dump), str(file), 60)
    return subprocess.run(long.words, capture_output=True, timeout=30).returncode


def test_a_whole_dump_gets_its_name(tmp_path: Path) -> None:
    file = tmp_path / "all.sql"
    assert write(WHOLE, file) == 0
    assert file.read_text().startswith("CREATE DATABASE x;")
    assert file.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["all.sql"]


@pytest.mark.parametrize("dump", ["echo half", f"{WHOLE}; exit 3", "kill -KILL $$"])
def test_one_that_is_none_leaves_what_was_there(dump: str, tmp_path: Path) -> None:
    file = tmp_path / "all.sql"
    assert write(dump, file) != 0
    assert names(tmp_path) == []
    write(WHOLE, file)
    before = file.read_text()
    assert write(dump, file) != 0
    assert file.read_text() == before
    assert names(tmp_path) == ["all.sql"]


def test_the_unit_is_the_runbooks_and_ends_the_dump_in_the_container_with_it() -> None:
    long = documented_dump(SERVER, whole_server_words(SERVER), "/root/undercloud-all-databases.sql", 60)
    assert long.unit.startswith("openstack-runbooks-backup-undercloud-documented-")
    assert long.exec_stop_post[:3] == ("podman", "exec", "mysql")


def dumped(words: tuple[str, ...], folder: Path) -> str:
    """What mysqldump is asked for."""
    for name, text in {"mysqldump": 'echo "$@"', "mysql": "printf 'nova\\nkey stone\\n'"}.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    script = [word.replace("/tmp/openstack-runbooks", str(folder / "p")) for word in words[3:]]
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert not list(folder.glob("p-*"))
    return done.stdout.strip()


def test_the_undercloud_s_is_of_the_whole_server_and_the_roles_of_every_schema(tmp_path: Path) -> None:
    whole = dumped(whole_server_words(SERVER), tmp_path)
    assert whole.endswith("--single-transaction --quick --routines --events --triggers --hex-blob --all-databases")
    assert dumped(schemas_words(SERVER), tmp_path).endswith("--hex-blob --databases nova key stone")


def test_grants_are_written_whole_and_for_root_alone(tmp_path: Path) -> None:
    file = tmp_path / "grants.sql"
    LocalShell().run(write_grants_file(str(file), "GRANT USAGE ON *.* TO `nova`@`%`;\n"))
    assert file.read_text() == "GRANT USAGE ON *.* TO `nova`@`%`;\n"
    assert file.stat().st_mode & 0o777 == 0o600
    command = write_grants_file(str(file), "GRANT ALL")
    assert "GRANT ALL" not in command.shown
    object.__setattr__(command, "stdin", "GRANT A")
    with pytest.raises(CommandFailed, match="did not arrive whole"):
        LocalShell().run(command)
    assert file.read_text().startswith("GRANT USAGE")
    assert names(tmp_path) == ["grants.sql"]
