"""Bringing a file of a set to the host that restores it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.errors import HostError
from blocks.remote.relay import Relayed, relay
from blocks.remote.shell import Result, Shell
from tasks.backup.fetching import fetch
from tests.unit.fakes import LocalShell, silent
from tests.unit.tasks.backup.samples import make_set, make_store


def test_what_lies_under_the_stores_path_and_is_another_file_is_not_taken(tmp_path: Path) -> None:
    store = make_store(tmp_path, kind="nfs")
    name = make_set(store)
    (file,) = store.manifest(store.catalogue().sets[0]).files
    path = tmp_path / "d"

    class Strange(LocalShell):
        def run(self, command: Command, on_line: LineSink | None = None) -> Result:
            result = super().run(command, on_line)
            if '[ -f "$1" ] || exit 3' in " ".join(command.words):
                path.with_name("d.new").write_text("another\n")
                return Result(f"8\t{'0' * 64}\n", "", 0)
            return result

    fetch(store, name, file.name, lambda: file, str(path), 60).perform(Strange(), silent)
    assert path.read_text() == "-- a dump\n"


class Elsewhere(LocalShell):
    """A host on which the store is not mounted."""

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        if '[ -f "$1" ] || exit 3' in " ".join(command.words):
            return Result("", "", 3)
        return super().run(command, on_line)


def test_a_file_arrives_as_it_was_sealed(tmp_path: Path) -> None:
    store = make_store(tmp_path, kind="nfs")
    name = make_set(store)
    (file,) = store.manifest(store.catalogue().sets[0]).files
    path = tmp_path / "a dump"
    fetch(store, name, file.name, lambda: file, str(path), 60).perform(Elsewhere(), silent)
    assert path.read_text() == "-- a dump\n"


def test_a_host_that_has_the_store_mounted_reads_it_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(tmp_path, kind="nfs")
    name = make_set(store)
    (file,) = store.manifest(store.catalogue().sets[0]).files
    monkeypatch.setattr("tasks.backup.fetching.relay", lambda *_: pytest.fail("it goes through this process"))
    path = tmp_path / "a dump"
    fetch(store, name, file.name, lambda: file, str(path), 60).perform(LocalShell(), silent)
    assert path.read_text() == "-- a dump\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not path.with_name("a dump.new").exists()


@pytest.mark.parametrize("settings", [{"kind": "nfs", "bandwidth_bytes_per_s": 2**20}, {"kind": "sftp"}])
def test_a_limit_of_the_bandwidth_is_kept_where_the_store_is_mounted_too(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path, **settings)
    name = make_set(store)
    (file,) = store.manifest(store.catalogue().sets[0]).files
    limits: list[int | None] = []

    def limited(source: Shell, write: Command, sink: Shell, read: Command, limit: int | None, *more: Any) -> Relayed:
        limits.append(limit)
        return relay(source, write, sink, read, limit, *more)

    monkeypatch.setattr("tasks.backup.fetching.relay", limited)
    fetch(store, name, file.name, lambda: file, str(tmp_path / "d"), 60).perform(LocalShell(), silent)
    assert limits == [settings.get("bandwidth_bytes_per_s")]


def test_a_file_that_was_changed_since_it_was_sealed_is_none_to_restore(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    name = make_set(store)
    (file,) = store.manifest(store.catalogue().sets[0]).files
    (Path(store.base) / str(name) / file.name).write_text("-- A dump\n")
    with pytest.raises(HostError, match=r"undercloud.sql.gz was changed since it was sealed"):
        fetch(store, name, file.name, lambda: file, str(tmp_path / "d"), 60).perform(LocalShell(), silent)
