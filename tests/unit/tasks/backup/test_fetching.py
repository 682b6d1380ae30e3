"""Bringing a file of a set to the host that restores it."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.errors import HostError
from tasks.backup.fetching import fetch
from tests.unit.fakes import LocalShell, silent
from tests.unit.tasks.backup.samples import make_set, make_store


def test_a_file_arrives_as_it_was_sealed(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    name = make_set(store)
    (file,) = store.manifest(store.catalogue().sets[0]).files
    path = tmp_path / "a dump"
    fetch(store, name, file.name, lambda: file, str(path), 60).perform(LocalShell(), silent)
    assert path.read_text() == "-- a dump\n"


def test_a_file_that_was_changed_since_it_was_sealed_is_none_to_restore(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    name = make_set(store)
    (file,) = store.manifest(store.catalogue().sets[0]).files
    (Path(store.base) / str(name) / file.name).write_text("-- A dump\n")
    with pytest.raises(HostError, match=r"undercloud.sql.gz was changed since it was sealed"):
        fetch(store, name, file.name, lambda: file, str(tmp_path / "d"), 60).perform(LocalShell(), silent)
