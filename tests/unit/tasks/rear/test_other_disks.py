"""Disks beside those that are restored, and what keeps them from being written to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed
from tasks.engine.step import apply_change
from tasks.rear.other_disks import protect_other_disks
from tests.unit.fakes import LocalShell, silent
from tests.unit.tasks.rear.test_rescue import write_block, write_rescue

# As the kernel: what is read-only says so.
BLOCKDEV = """
[ "$1" = --setro ] && echo "$2" >>"$ROOT/asked"
find "$ROOT/sys/block" -name "${2##*/}" | while read -r each; do echo 1 >"$each/ro"; done
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_rescue(tmp_path)
    (tmp_path / "sys/block/vda/ro").write_text("0\n")
    write_block(tmp_path, "vdb", ro="0")
    write_block(tmp_path, "sr0x", ro="0", removable="1")
    for name in ("vda/vda1", "vdb/vdb1", "vdb/vdb2"):
        (tmp_path / "sys/block" / name).mkdir()
        (tmp_path / "sys/block" / name / "ro").write_text("0\n")
    return tmp_path


def have_blockdev(root: Path) -> None:
    program = root / "bin/blockdev"
    program.write_text(f"#!/bin/bash\nROOT={root}\n{BLOCKDEV}\n")
    program.chmod(0o755)


def test_whatever_rear_does_not_write_can_not_be_written_to(root: Path) -> None:
    have_blockdev(root)
    here, change = LocalShell(root / "bin"), protect_other_disks(str(root))
    assert [apply_change(here, change, silent) for _ in range(2)] == ["done", "already"]
    assert (root / "asked").read_text().split() == ["/dev/vdb", "/dev/vdb1", "/dev/vdb2"]


def test_without_other_disks_nothing_is_wanted_of_the_rescue_system(tmp_path: Path) -> None:
    write_rescue(tmp_path)
    (tmp_path / "sys/block/vda/ro").write_text("0\n")
    assert apply_change(LocalShell(tmp_path / "bin"), protect_other_disks(str(tmp_path)), silent) == "already"


def test_a_rescue_system_that_can_not_protect_them_restores_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cat", "grep", "bash"):
        (root / "bin" / name).symlink_to(
            next(Path(each) / name for each in os.defpath.split(":") if (Path(each) / name).exists())
        )
    monkeypatch.setenv("PATH", str(root / "bin"))
    with pytest.raises(CommandFailed, match="has no blockdev: start install-rear, and make an image anew"):
        apply_change(LocalShell(root / "bin"), protect_other_disks(str(root)), silent)
