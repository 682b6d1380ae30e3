"""A prepared copy in the place of the data: run for real in a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from blocks.remote.command import Command
from tasks.database.importing_server import ImportingServer
from tasks.runbooks.restore_undercloud_database.loading import put_in_place
from tests.unit.fakes import LocalShell
from tests.unit.tasks.runbooks.stored_database.test_database import stored_copy


def test_all_that_is_prepared_moves_into_the_data_directory_also_where_that_is_a_mount_point(tmp_path: Path) -> None:
    data = tmp_path / "mysql"
    prepared = data / "openstack-runbooks-backup" / "data"
    (prepared / "keystone").mkdir(parents=True)
    (prepared / "keystone" / "user.ibd").write_text("rows")
    (prepared / ".hidden").write_text("")
    inode = data.stat().st_ino
    server = ImportingServer("0a1b", str(data), "restore-undercloud-database")
    *_, take = put_in_place(server, stored_copy(tmp_path), os.getuid(), labelled=False, within_s=60).commands
    LocalShell().run(cast("Command", take))
    assert sorted(path.name for path in data.iterdir()) == [".hidden", "keystone", "openstack-runbooks-backup"]
    assert (data / "keystone" / "user.ibd").read_text() == "rows"
    assert list(prepared.iterdir()) == []
    assert data.stat().st_ino == inode
