"""A server to throw away has no network, and goes whatever happens."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.shell import Result
from tasks.database.throwaway_server import ThrowawayServer, read_image
from tests.unit.fakes import FakeShell


def throwaway(directory: Path | str = "/var/tmp/drill") -> ThrowawayServer:
    return ThrowawayServer("sha256:0a1b", str(directory), "9f3c")


def test_it_has_no_network_and_a_directory_of_its_own() -> None:
    (run,) = [each for each in throwaway().start(60).commands if "run" in each.shown.split()]
    assert isinstance(run, Command)
    assert {"--network=none", "--rm", "--name=openstack-runbooks-drill-9f3c"} <= set(run.words)
    assert "--volume=/var/tmp/drill:/var/lib/mysql:Z" in run.words
    assert "sha256:0a1b" in run.words
    assert "--skip-networking" in run.line
    assert "--skip-test-db" in run.line, "a schema that was not backed up"


def test_it_is_there_once_it_answers() -> None:
    start = throwaway().start(60)
    assert start.already is not None
    assert start.already(FakeShell().on("mysqladmin", say=""))
    assert not start.already(FakeShell().on("mysqladmin", say=1))
    assert start.until is not None
    looks = FakeShell().on("mysqladmin", say=[Result("", "no such container", 125), 1, ""])
    assert [start.until.look(looks) for _ in range(3)] == ["not there", "silent", "answering"]


def test_it_is_spoken_to_without_a_password() -> None:
    words = throwaway().server.client()
    assert "--defaults-extra-file=/dev/null" in words
    assert "openstack-runbooks-drill-9f3c" in words


def test_what_is_loaded_ends_at_its_first_error() -> None:
    load = throwaway().load("zstd -dc /backup/dump.sql.zst", "dump", 600)
    assert load.words[:4] == ("bash", "-o", "pipefail", "-c")
    assert load.words[4].startswith(
        "{ zstd -dc /backup/dump.sql.zst; } | podman exec -i openstack-runbooks-drill-9f3c mysql "
    )
    assert "--force" not in load.words[4]
    assert load.unit != throwaway().load("zstd -dc /backup/grants.sql.zst", "grants", 600).unit


def test_a_load_fails_with_what_it_reads(tmp_path: Path) -> None:
    (tmp_path / "podman").write_text("#!/bin/bash\ncat >/dev/null\n")
    (tmp_path / "podman").chmod(0o755)
    load = throwaway().load("echo 'SELECT 1;'; exit 3", "dump", 600)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert subprocess.run(load.words, env=environment).returncode == 3


@pytest.mark.parametrize(("there", "removable", "code"), [(True, True, 0), (False, True, 0), (True, False, 1)])
def test_it_is_removed_with_its_directory(there: bool, removable: bool, code: int, tmp_path: Path) -> None:
    mark, data = tmp_path / "container", tmp_path / "data"
    data.mkdir()
    if there:
        mark.touch()
    rm = f"rm {mark}" if removable else "exit 1"
    (tmp_path / "podman").write_text(f"#!/bin/bash\ncase $1 in rm) {rm} ;; inspect) [ -e {mark} ] ;; esac\n")
    (tmp_path / "podman").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(throwaway(data).remove_words, env=environment, capture_output=True, text=True)
    assert (done.returncode, data.exists()) == (code, code != 0)
    if code:
        assert "container openstack-runbooks-drill-9f3c could not be removed" in done.stderr


def test_the_image_is_the_containers_own() -> None:
    shell = FakeShell().on("inspect", "{{.Image}}", say="sha256:0a1b\n")
    assert read_image(shell, "galera-bundle-podman-0") == "sha256:0a1b"
