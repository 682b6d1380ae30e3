"""An image is what lies on the store: whole, new, and with sums of its own once all of it was seen to be whole."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

import tasks.rear.images
from blocks.remote.errors import HostError
from blocks.remote.units import LongCommand
from tasks.rear.images import (
    Known,
    check_images,
    close_images,
    find_folder,
    job_key,
    jobs,
    list_images,
    make_image,
    read_used_bytes,
)
from tasks.rear.rescue_script import record_of
from tasks.rear.settings import Settings
from tests.unit.fakes import FakeShell, LocalShell

HOST, BEFORE, NEW = "controller-0", "20261126T020000Z", "20261127T020000Z"
KNOWN = {HOST: Known((BEFORE,))}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A new image, beside that of the night before."""
    (tmp_path / HOST / BEFORE).mkdir(parents=True)
    folder = tmp_path / HOST / NEW
    folder.mkdir()
    (tmp_path / "file").write_text("127.0.0.1")
    with tarfile.open(folder / "backup.tar.gz", "w:gz") as packed:
        packed.add(tmp_path / "file", "etc/hosts")
    sum_ = hashlib.md5((folder / "backup.tar.gz").read_bytes()).hexdigest()  # noqa: S324 - ReaR's choice
    (folder / "backup.tar.gz.md5").write_text(f"{sum_}  backup.tar.gz\n")
    (folder / f"{HOST}.iso").write_text("iso")
    (folder / "backup.log").write_text("etc/hosts\n")
    return folder


def on_store(
    make: Callable[..., object], root: Path, known: dict[str, Known] = KNOWN
) -> subprocess.CompletedProcess[str]:
    """Run what the unit runs on the store."""
    change = make("backup-control-plane-rear-1", str(root), known, 60)
    (long,) = cast("tuple[LongCommand, ...]", change.commands)  # type: ignore[attr-defined]
    return subprocess.run(long.words, capture_output=True, text=True, timeout=20, env={"PATH": os.environ["PATH"]})


def how_far(log: Path, text: str, expected: int = 4 * 2**20) -> list[str]:
    """What is asked of a node while ReaR has written this to its log."""
    log.write_text(text)
    (long,) = cast("tuple[LongCommand, ...]", make_image("rear-1", 60, expected).commands)
    assert long.progress_query is not None
    words = [str(log) if word == long.log else word for word in long.progress_query.words]
    return subprocess.run(words, capture_output=True, text=True, timeout=20).stdout.splitlines()


def test_while_rear_works_its_phase_and_the_archive_s_size_are_told(tmp_path: Path) -> None:
    log, archive = tmp_path / "log", tmp_path / "outputfs" / "backup.tar.gz"
    laid_out = "Relax-and-Recover 2.4\nCreating disk layout\n"
    assert how_far(log, laid_out) == ["0 4194304", "Creating disk layout, 0B of about 4.0MiB archived"]
    archive.parent.mkdir()
    archive.write_bytes(b"0" * 2**20)
    begun = f"{laid_out}Creating tar archive '{archive}'\n"
    assert how_far(log, begun)[0] == "1048576 4194304"
    assert how_far(log, begun)[1].endswith(", 1.0MiB of about 4.0MiB archived")
    archive.unlink()  # ReaR has unmounted the store
    done = f"{begun}Preparing archive operation OK\nArchived 3 MiB in 20 seconds [avg 153 KiB/sec]\nExiting rear mkbackup\n"
    assert how_far(log, done) == ["3145728 4194304", "Exiting rear mkbackup, 3.0MiB of about 4.0MiB archived"]


def test_before_rear_has_written_anything_nothing_is_told(tmp_path: Path) -> None:
    assert [line for line in how_far(tmp_path / "log", "") if not line.startswith("0 ")] == []


def test_a_whole_image_is_told_with_its_size(image: Path) -> None:
    said = on_store(check_images, image.parents[1])
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(f"{HOST}/{NEW} is whole: ")


def test_by_sftp_the_iso_lies_above_the_folders(image: Path) -> None:
    (image / f"{HOST}.iso").rename(image.parents[1] / f"{HOST}.iso")
    assert on_store(check_images, image.parents[1]).returncode == 0


def test_by_sftp_iso_log_and_record_go_where_the_next_run_does_not_replace_them(image: Path) -> None:
    own, others = (image.parents[1] / record_of(node) for node in (HOST, "controller-7"))
    own.write_text(f"node\t{HOST}\nrun\t{image.parent.name}/{image.name}\n")
    others.write_text(f"node\tcontroller-7\nrun\tcontroller-7/{image.name}\n")
    (image / f"{HOST}.iso").rename(image.parents[1] / f"{HOST}.iso")
    (image.parents[1] / f"rear-{HOST}.log").write_text("Exiting rear mkbackup\n")
    for _ in range(2):
        assert on_store(close_images, image.parents[1]).returncode == 0
    assert {f"{HOST}.iso", f"rear-{HOST}.log", own.name} <= {file.name for file in image.iterdir()}
    assert f"./{HOST}.iso" in (image / "SHA256SUMS").read_text()
    assert own.name in (image / "SHA256SUMS").read_text()
    assert {file.name for file in image.parents[1].iterdir() if file.is_file()} == {"file", others.name}


def test_by_sftp_the_warning_of_tar_stands_above_the_folders(image: Path) -> None:
    (image.parents[1] / f"rear-{HOST}.log").write_text("WARNING: tar ended with return code 1 and below output:\n")
    assert "tar has ended with a warning" in on_store(check_images, image.parents[1]).stderr


@pytest.mark.parametrize(
    ("told", "whole"),
    [
        ("tar: /sys: file changed as we read it", True),
        ("tar: /var/log/messages: file changed as we read it", True),
        ("tar: /var/lib/config-data/a: file changed as we read it", False),
        ("tar: /var/log/messages: File shrank by 4096 bytes; padding with zeros", False),
        ("tar: /sys: file changed as we read it\ntar: /srv/a: Cannot open: Input/output error", False),
        ("", False),
    ],
)
def test_what_changes_while_it_is_read_and_is_no_matter_is_told_apart(image: Path, told: str, whole: bool) -> None:
    """As seen with ReaR 2.7: the warning's lines are in its own log, and tar's words beside the archive."""
    (image / f"rear-{HOST}.log").write_text("WARNING: tar ended with return code 1 and below output:\n")
    (image / "backup.log").write_text(f"tar: Removing leading `/' from member names\nblock 0: /\n{told}\n")
    done = on_store(check_images, image.parents[1])
    assert (done.returncode == 0) is whole
    assert (
        whole or told.splitlines()[-1:] == [line for line in done.stderr.splitlines() if line.startswith("tar: ")][-1:]
    )


def shorten(image: Path) -> None:
    packed = (image / "backup.tar.gz").read_bytes()
    (image / "backup.tar.gz").write_bytes(packed[: len(packed) // 2])


def warn(image: Path) -> None:
    (image / "rear-controller-0.log").write_text("WARNING: tar ended with return code 1 and below output:\n")


BROKEN: dict[str, Callable[[Path], object]] = {
    "the archive can't be read to its end": shorten,
    "the archive's checksum is not the one that ReaR has written down": lambda image: (
        image / "backup.tar.gz.md5"
    ).write_text("0  backup.tar.gz\n"),
    "ReaR has written down no checksum of the archive": lambda image: (image / "backup.tar.gz.md5").unlink(),
    "there is no archive": lambda image: (image / "backup.tar.gz").unlink(),
    "ReaR has not ended: there is a .lockfile": lambda image: (image / ".lockfile").touch(),
    "tar has ended with a warning: the archive lacks files, or holds them half written": warn,
    "there is no log of ReaR's": lambda image: (image / "backup.log").unlink(),
    "there is no ISO": lambda image: (image / "controller-0.iso").unlink(),
}


@pytest.mark.parametrize("said", BROKEN)
def test_an_image_that_is_not_whole_is_told_with_what_is_wrong(image: Path, said: str) -> None:
    BROKEN[said](image)
    seen = on_store(check_images, image.parents[1])
    assert seen.returncode == 65
    assert said in seen.stderr.splitlines()


def test_all_that_is_wrong_is_told_at_once(image: Path) -> None:
    for each in ("backup.log", "controller-0.iso"):
        (image / each).unlink()
    assert on_store(check_images, image.parents[1]).stderr.splitlines() == [
        "there is no log of ReaR's",
        "there is no ISO",
    ]


def test_the_image_of_the_night_before_is_not_taken_for_a_new_one(image: Path) -> None:
    image.rename(image.parents[1] / "elsewhere")
    seen = on_store(check_images, image.parents[1])
    assert (seen.returncode, seen.stderr) == (65, f"ReaR has left nothing new in {image.parent}\n")
    gone = on_store(check_images, image.parents[1] / "elsewhere")
    assert gone.stderr == f"there is no {image.parents[1]}/elsewhere/{HOST}\n"


def test_of_two_attempts_of_a_night_the_later_one_counts(image: Path) -> None:
    (image.parent / "20261126T230000Z").mkdir()
    assert on_store(check_images, image.parents[1]).stdout.startswith(f"{HOST}/{NEW} is whole")


def test_a_closed_image_has_sums_that_sha256sum_accepts(image: Path) -> None:
    assert on_store(close_images, image.parents[1]).returncode == 0
    assert on_store(close_images, image.parents[1]).returncode == 0, "again"
    checked = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=image, capture_output=True, text=True)
    assert checked.returncode == 0
    names = {"backup.log", "backup.tar.gz", "backup.tar.gz.md5", "controller-0.iso"}
    assert set(checked.stdout.splitlines()) == {f"./{name}: OK" for name in names}


def test_the_store_says_which_images_there_are_and_how_large_the_latest_whole_one_is(
    image: Path, here: LocalShell
) -> None:
    on_store(close_images, image.parents[1])
    (image.parent / "20261128T020000Z").mkdir()
    found = list_images(here, str(image.parents[1]), [HOST, "controller-1"])
    assert found["controller-1"] == Known()
    assert found[HOST].runs == (BEFORE, NEW, "20261128T020000Z")
    assert (found[HOST].latest_bytes or 0) > 0


def test_a_run_does_not_take_the_job_of_another_for_its_own() -> None:
    (one,) = make_image(job_key("backup-control-plane", "11111111-aaaa"), 60).commands
    (other,) = make_image(job_key("backup-control-plane", "22222222-aaaa"), 60).commands
    assert cast("LongCommand", one).unit != cast("LongCommand", other).unit
    assert cast("LongCommand", one).unit.startswith(jobs("backup-control-plane").partition("*")[0])


SETTINGS = (
    "ISO_DEFAULT\tmanual\nBACKUP_INTEGRITY_CHECK\t1\nNETFS_PREFIX\tctl0/20261127T020000Z\nOPENSTACK_RUNBOOKS\t0a\n"
)


def test_a_node_s_folder_is_called_as_rear_calls_the_host() -> None:
    shell = FakeShell().on("OPENSTACK_RUNBOOKS", say=SETTINGS).on("pgrep", say=1)
    assert find_folder(shell) == "ctl0"
    assert Settings({}).one("NETFS_PREFIX") == ""


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("OPENSTACK_RUNBOOKS", "ReaR is not set up by install-rear"),
        ("BACKUP_INTEGRITY_CHECK", "ReaR would make images without a checksum, or over one another"),
        ("NETFS_PREFIX", "ReaR would make images without a checksum, or over one another"),
        ("ISO_DEFAULT", "ReaR would make ISOs that recover by themselves whenever they are booted"),
    ],
)
def test_a_node_that_is_not_set_up_is_told(left_out: str, said: str) -> None:
    text = "".join(f"{line}\n" for line in SETTINGS.splitlines() if not line.startswith(left_out))
    with pytest.raises(HostError, match=said):
        find_folder(FakeShell().on("OPENSTACK_RUNBOOKS", say=text).on("pgrep", say=1))


@pytest.mark.parametrize("only", ["yes", "1", "no"])
def test_where_a_part_alone_is_archived_no_image_is_larger_than_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: str
) -> None:
    """A node's file systems may hold a hundred times as much, and the store is asked for room that nothing takes."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "file").write_bytes(os.urandom(1_000_000))
    included = (f"{tmp_path}/etc/*", f"{tmp_path}/none/*")
    settings = Settings({"BACKUP_ONLY_INCLUDE": (only,), "BACKUP_PROG_INCLUDE": included})
    monkeypatch.setattr(tasks.rear.images, "read_settings", lambda _: settings)
    used = read_used_bytes(LocalShell())
    assert used > 100_000_000 if only == "no" else 1_000_000 <= used < 1_100_000
