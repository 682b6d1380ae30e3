"""Exports of an NFS server."""

from __future__ import annotations

import pytest

from tasks.node.nfs_server import is_exported, outside, parse_exports
from tests.unit.fakes import FakeShell

# As `exportfs -s` prints them, with all that is a default.
SAID = """\
/srv/images  *(sync,wdelay,hide,no_subtree_check,sec=sys,ro,secure,root_squash,no_all_squash)
/ctl_plane_backups  192.168.24.0/24(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash,no_all_squash)
/ctl_plane_backups  10.0.0.0/24(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash,no_all_squash)
"""


def test_what_is_exported_for_writing_is_read() -> None:
    assert parse_exports(SAID) == {"/ctl_plane_backups": {"192.168.24.0/24", "10.0.0.0/24"}}


@pytest.mark.parametrize(("networks", "is_so"), [(["10.0.0.0/24"], True), (["10.0.0.0/24", "172.16.0.0/24"], False)])
def test_a_folder_is_exported_where_every_network_may_mount_it(networks: list[str], is_so: bool) -> None:
    assert is_exported(FakeShell(otherwise=SAID), "/ctl_plane_backups", networks) is is_so
    assert not is_exported(FakeShell(otherwise=""), "/ctl_plane_backups", networks), "without a server"


def test_a_name_is_not_looked_up() -> None:
    assert outside("10.9.9.9", ["192.168.24.0/24"])
    assert not outside("192.168.24.7", ["10.0.0.0/8", "192.168.24.0/24"])
    assert not outside("controller-0.example.com", ["192.168.24.0/24"])
