"""A database of a set: what is unpacked of it on the host that restores it."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed
from tasks.backup.manifest import BackupFile
from tasks.database.dump_contents import Contents
from tasks.database.grants import Grants
from tasks.runbooks.stored_database.database import StoredDatabase
from tests.unit.fakes import LocalShell
from tests.unit.tasks.backup.samples import make_store, name_of


def stored(folder: Path) -> StoredDatabase:
    """A dump that is packed, and grants that are not."""
    told = {"size_bytes": 1, "sha256": "0" * 64, "database": "overcloud"}
    files = (
        BackupFile.model_validate({"name": "dump.sql.gz", "role": "logical dump", "compression": "gzip"} | told),
        BackupFile.model_validate({"name": "grants.sql", "role": "grants", "compression": "none"} | told),
    )
    holds, grants = Contents(schemas={}), Grants((), (), ())
    return StoredDatabase(make_store(folder), name_of(0), "0" * 64, "logical", files, True, holds, grants)


def stored_copy(folder: Path) -> StoredDatabase:
    """A physical copy."""
    told = {"size_bytes": 1, "sha256": "0" * 64, "database": "overcloud", "compression": "zstd"}
    files = (BackupFile.model_validate({"name": "copy.mbstream.zst", "role": "physical copy"} | told),)
    return replace(stored(folder), method="physical", files=files)


def test_a_copy_takes_what_its_data_took_and_a_guess_where_nobody_knows(tmp_path: Path) -> None:
    copy = stored_copy(tmp_path)
    assert (copy.needs.data_bytes, copy.needs.files_bytes) == (15, 1)
    assert replace(copy, data_bytes=4).needs.data_bytes == 4
    assert replace(stored(tmp_path), data_bytes=4).needs.data_bytes == 14


def unpack(folder: Path) -> list[Path]:
    paths = [folder / "dump", folder / "grants"]
    for command in stored(folder).unpack(str(folder), tuple(map(str, paths)), 60):
        LocalShell().run(command)
    return paths


def test_files_are_unpacked_for_root_alone_and_an_open_one_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "dump.sql.gz").write_bytes(gzip.compress(b"the dump"))
    (tmp_path / "grants.sql").write_text("the grants")
    (tmp_path / "dump").write_text("what an import is reading")
    with (tmp_path / "dump").open() as being_read:
        unpacked = unpack(tmp_path)
        assert being_read.read() == "what an import is reading"
    assert [path.read_text() for path in unpacked] == ["the dump", "the grants"]
    assert {path.stat().st_mode & 0o777 for path in unpacked} == {0o600}


def test_a_file_that_can_not_be_unpacked_ends_the_step(tmp_path: Path) -> None:
    (tmp_path / "dump.sql.gz").write_bytes(gzip.compress(b"the dump")[:-4])
    with pytest.raises(CommandFailed):
        unpack(tmp_path)
