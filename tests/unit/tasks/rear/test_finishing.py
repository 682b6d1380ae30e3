"""After `rear recover`: the config drive's partition is written, and the node goes off."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import CommandFailed, Unreachable
from tasks.engine.step import apply_change
from tasks.rear.finishing import power_off, restore_config_drive
from tests.unit.fakes import FakeShell, LocalShell, silent


@pytest.fixture
def partition(tmp_path: Path) -> Path:
    """A partition of a disk that was used before: the beginning of an XFS is there."""
    for name in ("mnt/local/mnt", "var/lib/rear/layout"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "mnt/local/mnt/config-drive").write_bytes(b"config-2" * 512)
    partition = tmp_path / "vda1"
    partition.write_bytes(b"XFSB" * 2048)
    (tmp_path / "var/lib/rear/layout/disklayout.conf").write_text(f"part /dev/vda 1 2 primary none {partition}\n")
    return partition


def test_a_partition_that_rear_has_left_empty_takes_the_config_drive(tmp_path: Path, partition: Path) -> None:
    change = restore_config_drive(str(partition), 60, str(tmp_path))
    assert [apply_change(LocalShell(), change, silent) for _ in range(2)] == ["done", "already"]
    assert partition.read_bytes() == b"config-2" * 512


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fs {0} /boot xfs uuid=x label= options=rw", "for something else \\(fs\\)"),
        ("lvmdev /dev/vg {0} uuid 1", "for something else \\(lvmdev\\)"),
        ("raid /dev/md0 level=raid1 raid-devices=2 devices=/dev/vdb1,{0}", "for something else \\(raid\\)"),
        ("", "ReaR has made no partition"),
    ],
)
def test_a_partition_that_holds_something_else_is_left_alone(
    tmp_path: Path, partition: Path, line: str, said: str
) -> None:
    layout = tmp_path / "var/lib/rear/layout/disklayout.conf"
    layout.write_text(f"{layout.read_text()}{line.format(partition)}\n" if line else "")
    with pytest.raises(CommandFailed, match=said):
        apply_change(LocalShell(), restore_config_drive(str(partition), 60, str(tmp_path)), silent)
    assert partition.read_bytes() == b"XFSB" * 2048


def test_the_config_drive_is_written_and_compared_once() -> None:
    written = False

    def write(_: Command) -> str:
        nonlocal written
        written = True
        return ""

    shell = FakeShell().on("md5sum", say=lambda _: 0 if written else 1).on("dd if=", "/dev/vda1", say=write)
    change = restore_config_drive("/dev/vda1", 60)
    assert [apply_change(shell, change, silent) for _ in range(2)] == ["done", "already"]


def test_a_connection_that_is_lost_is_no_reason_to_write_the_config_drive() -> None:
    with pytest.raises(Unreachable):
        apply_change(FakeShell().on("md5sum", say=Unreachable("x", "y")), restore_config_drive("/dev/vda1", 60), silent)


def test_a_node_that_does_not_answer_any_more_is_off() -> None:
    shell = FakeShell().on("true", say="").on("poweroff", say="")
    assert apply_change(shell, power_off(), silent) == "done"
    assert apply_change(FakeShell().on("true", say=Unreachable("x", "y")), power_off(), silent) == "already"
