"""A whole nightly backup of a real server: what lies on the store afterwards is restored into another one, and is the same."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import paramiko
import pytest
from prefect.logging import disable_run_logger

from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.shell import Result, Shell
from flows.backup_undercloud import NAME, procedure
from tasks.backup.manifest import Manifest
from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import compare
from tasks.engine.run import Run
from tasks.runbooks.backup_undercloud.preflight import look
from tests.database.backups import Backup, drill
from tests.database.local_server import LocalServer
from tests.database.sample import SAMPLE
from tests.unit.fakes import LocalChannel, without_engine
from tests.unit.flows.backups import IMAGE, World, make_world

# What this machine is asked for as a host, and answers otherwise than a host does.
_ANSWERS = {
    "container ls": "here\n",
    "State.Status": "running\n",
    "{{.Image}}": f"{IMAGE}\n",
    "systemctl --version": "podman --version: podman version 4.3.1\nMariaDB: Ver 10.11.19-MariaDB for Linux\n",
    "hiera": "no-secret-here\n",
    "/dev/stdin": "1\n",
    "journal did not arrive": "",
    "MemAvailable": "memory 9\n",
    "systemd-run": "",
    "systemctl stop": "",
    "grep -lxE": "",
}


class Undercloud(Shell):
    """This machine as the undercloud: its database is the real one."""

    def __init__(self, server: LocalServer) -> None:
        self._server, self.lock_token = server, None
        self.name = "undercloud"

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        line = " ".join(command.words)
        for words, answer in _ANSWERS.items():
            if words in line:
                return Result(answer, "", 0)
        return self._server.shell.run(command)

    def open_channel(self, command: Command, *, combined: bool = True) -> paramiko.Channel:
        return cast("paramiko.Channel", LocalChannel(command.words, self._server.shell.environment))

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def world(origin: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    without_engine(monkeypatch)
    origin.empty()
    origin.sql(SAMPLE)
    made = make_world(tmp_path, monkeypatch, NAME, look, procedure)
    settings = made.site.undercloud_database.model_copy(
        update={"container": "here", "data_directory": str(origin.data), "client_options": str(origin.options)}
    )
    made.site = made.site.model_copy(update={"undercloud_database": settings})
    opened = made.open

    def open_run() -> Run:
        run = opened()
        run.shells["undercloud"] = Undercloud(origin)
        return run

    monkeypatch.setattr(made, "open", open_run)
    with disable_run_logger():
        yield made


def stored(world: World) -> tuple[Path, Manifest]:
    """The set's folder and its manifest."""
    (found,) = world.store.catalogue().sets
    return Path(world.store.base) / str(found.name), world.store.manifest(found)


def unpacked(file: Path, compression: str) -> bytes:
    """What is in a file of the set."""
    program = {"zstd": "zstd", "gzip": "gzip", "none": "cat"}[compression]
    words = [program, "-dqc"] if program != "cat" else ["cat"]
    return subprocess.run(words, input=file.read_bytes(), capture_output=True, check=True).stdout


def test_what_lies_on_the_store_is_what_was_in_the_server(world: World, target: LocalServer) -> None:
    world.back_up()
    folder, manifest = stored(world)
    files = {file.role: unpacked(folder / file.name, file.compression) for file in manifest.files}
    assert set(files) == {"logical dump", "grants", "physical copy"}
    (database,) = manifest.databases
    contents = ServerContents.model_validate(database.contents)
    assert compare(contents, ServerContents.model_validate(database.contents_after_copy)).same
    assert database.data_bytes > 0
    packed = subprocess.run(["zstd", "-qc"], input=files["logical dump"], capture_output=True, check=True).stdout
    assert drill(Backup(packed, files["grants"].decode(), contents), target) == []


def test_a_server_that_stops_in_the_middle_leaves_no_set(world: World, origin: LocalServer) -> None:
    path = origin.shell.programs / "mysqldump"
    path.write_text('#!/bin/bash\nPATH=${PATH#*:} mysqldump "$@" | head -c 9000\n')
    path.chmod(0o755)
    try:
        with pytest.raises(Exception, match="the dump is cut short"):
            world.back_up()
    finally:
        path.unlink()
    assert world.sets() == []
    assert not world.half_written()
    assert list(origin.data.glob("openstack-runbooks*")) == []
    world.back_up()
    assert len(world.sets()) == 1
