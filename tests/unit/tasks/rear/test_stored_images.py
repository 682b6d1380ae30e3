"""Images that lie on a store, listed by the script that is run there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed
from blocks.remote.units import LongCommand
from tasks.rear.images import SUMS
from tasks.rear.rescue_script import record_of
from tasks.rear.stored_images import Disk, StoredImage, choose, compare_images, of_one_backup, read_images
from tests.unit.fakes import LocalShell

NODE = "overcloud-controller-0"


def record(run: str, node: str = NODE) -> str:
    return (
        f"node\t{node}\nrun\t{run}\nfirmware\tUEFI\ndisk\t/dev/vda\t6442450944\t0x5000c500 S3R1AL \n"
        "disk\t/dev/vdb\t1073741824\t\nother disk\t/dev/vdc\t1048576\tS2 \n"
        "config drive\t/dev/vda1\nunit\ttripleo_keystone.service\n"
    )


def write(root: Path, time: str, *, whole: bool = True, by_sftp: bool = False, folder: str = "controller-0") -> None:
    run = root / folder / time
    run.mkdir(parents=True)
    (run / "backup.tar.gz").write_text("an archive")
    beside = root if by_sftp else run
    (beside / f"{folder}.iso").write_text("an ISO")
    (beside / record_of(NODE)).write_text(record(f"{folder}/{time}"))
    if whole:
        done = subprocess.run("sha256sum *", shell=True, cwd=run, capture_output=True, text=True, check=True)  # noqa: S602
        (run / SUMS).write_text(done.stdout)


def test_an_image_is_known_with_all_that_is_recorded_beside_it(tmp_path: Path, here: LocalShell) -> None:
    write(tmp_path, "20261127T020000Z")
    write(tmp_path, "20261126T020000Z", whole=False)
    (tmp_path / "controller-1" / "20261127T020000Z").mkdir(parents=True)
    older, image = read_images(here, str(tmp_path), NODE)
    assert (older.time, older.whole) == ("20261126T020000Z", False)
    assert image.size_bytes > 0
    disks = (
        Disk("/dev/vda", 6442450944, frozenset({"0x5000c500", "S3R1AL"})),
        Disk("/dev/vdb", 1073741824),
    )
    assert image == StoredImage(
        NODE,
        "controller-0/20261127T020000Z",
        "controller-0/20261127T020000Z/controller-0.iso",
        image.size_bytes,
        True,
        True,
        disks,
        "/dev/vda1",
        ("tripleo_keystone.service",),
        (Disk("/dev/vdc", 1048576, frozenset({"S2"})),),
    )
    assert str(image.disks[0]) == "/dev/vda (6.0 GiB, 0x5000c500 S3R1AL)"


def test_by_sftp_an_image_whose_iso_and_record_lie_at_the_top_still_was_never_closed(
    tmp_path: Path, here: LocalShell
) -> None:
    write(tmp_path, "20261126T020000Z", by_sftp=True)
    assert read_images(here, str(tmp_path), NODE) == []


def test_a_store_that_is_not_mounted_is_told(tmp_path: Path, here: LocalShell) -> None:
    with pytest.raises(CommandFailed, match="there is no directory"):
        read_images(here, str(tmp_path / "gone"), NODE)


def test_the_latest_whole_image_is_chosen_or_the_one_of_a_time(tmp_path: Path, here: LocalShell) -> None:
    for time, whole in (("20261125T020000Z", True), ("20261126T020000Z", True), ("20261127T020000Z", False)):
        write(tmp_path, time, whole=whole)
    images = read_images(here, str(tmp_path), NODE)
    assert [choose(images, time)[0] for time in ("", "2026-11-25", "20261126T0200")] == [images[1], *images[:2]]
    assert choose(images, "2026-11-27")[1] == "none was found to be whole when it was made: 20261127T020000Z"
    assert choose(images, "2025")[1].startswith("the store has none of 2025; it has 20261125T020000Z, ")
    assert "made before install-rear was run last" in choose([], "")[1]


def test_images_that_were_not_made_side_by_side_are_told_apart(tmp_path: Path, here: LocalShell) -> None:
    for time in ("20261125T020000Z", "20261125T034500Z", "20261126T020000Z"):
        write(tmp_path, time)
    first, second, third = read_images(here, str(tmp_path), NODE)
    assert of_one_backup([first, second])
    assert not of_one_backup([first, second, third])
    assert of_one_backup([])


def test_an_archive_that_the_store_has_changed_is_no_image_to_restore(tmp_path: Path, here: LocalShell) -> None:
    write(tmp_path, "20261127T020000Z")
    images = read_images(here, str(tmp_path), NODE)
    (compare,) = compare_images(str(tmp_path), images, 60).commands
    assert isinstance(compare, LongCommand)

    def code() -> int:
        return subprocess.run(compare.words, capture_output=True).returncode

    assert code() == 0
    (tmp_path / "controller-0/20261127T020000Z/backup.tar.gz").write_text("an Archive")
    assert code() == 1
