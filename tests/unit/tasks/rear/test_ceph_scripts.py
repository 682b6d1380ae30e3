"""The scripts that keep a Ceph monitor's data, run as ReaR runs them, in a folder."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tasks.engine.step import apply_change
from tasks.rear.ceph_scripts import MARK, RESTORE, SAVE, TEXTS, has_monitor, put_scripts
from tests.unit.fakes import FakeShell, silent

ON_ROOT = "fs /dev/vda2 / xfs uuid=1 label=x options=rw\nfs /dev/vda1 /boot ext4 uuid=2\n"
ON_LVM = f"{ON_ROOT}fs /dev/mapper/vg-ceph /var/lib/ceph xfs uuid=3\nfs /dev/vda5 /var/lib/cephalopod xfs uuid=4\n"
REAR = (
    'LogPrint() { echo "$*"; }\nError() { echo "ERROR $*" >&2; exit 1; }\nSource() { source "$1"; }\nSource "$SCRIPT"\n'
)
# What is on a device is a folder of the test's; a device without one is an empty disk.
PROGRAMS = {
    "mount": 'echo "$*" >>"$ROOT/mounts"; [ -d "$ROOT/devices/${5##*/}" ] && cp -a "$ROOT/devices/${5##*/}/." "$ROOT/mnt/local"',
    "umount": 'find "$ROOT/mnt/local" -mindepth 1 -delete',
    "lvm": "exit 5",
}


def make(folder: Path, layout: str) -> None:
    for name in ("bin", "var/layout", "tmp", "mnt/local", "devices"):
        (folder / name).mkdir(parents=True)
    for name, text in PROGRAMS.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/bash\n{text}\n")
        program.chmod(0o755)
    (folder / "var/layout/disklayout.conf").write_text(layout)


def run(folder: Path, path: str) -> str:
    script = folder / "script"
    script.write_text(
        TEXTS[path].replace("/mnt/local", f"{folder}/mnt/local").replace("/tmp/ceph", f"{folder}/tmp/ceph")
    )
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "ROOT": str(folder),
        "SCRIPT": str(script),
        "VAR_DIR": str(folder / "var"),
        "HOSTNAME": "controller-0",
    }
    done = subprocess.run(("bash", "-c", REAR), capture_output=True, text=True, env=environment, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


def recovered(folder: Path) -> Path:
    """The archive's files, where ReaR has put them."""
    ceph = folder / "mnt/local/var/lib/ceph"
    (ceph / "mon/ceph-controller-0").mkdir(parents=True)
    (ceph / "mon/ceph-controller-0/store").write_text("as in the archive")
    return ceph


@pytest.mark.parametrize(
    ("layout", "device", "within", "mounted"),
    [(ON_ROOT, "vda2", "var/lib/ceph", "xfs /dev/vda2"), (ON_LVM, "vg-ceph", "", "xfs /dev/mapper/vg-ceph")],
)
def test_what_the_old_disk_holds_takes_the_place_of_the_archives(
    tmp_path: Path, layout: str, device: str, within: str, mounted: str
) -> None:
    make(tmp_path, layout)
    old = tmp_path / "devices" / device / within / "mon/ceph-controller-0"
    old.mkdir(parents=True)
    (old / "store").write_text("as it was at the end")
    assert "Saved the Ceph monitor's data" in run(tmp_path, SAVE)
    assert mounted in (tmp_path / "mounts").read_text()
    ceph = recovered(tmp_path)
    (ceph / "gone").write_text("nobody has it any more")
    run(tmp_path, RESTORE)
    assert (ceph / "mon/ceph-controller-0/store").read_text() == "as it was at the end"
    assert not (ceph / "gone").exists()


def test_on_an_empty_disk_the_archives_stays(tmp_path: Path) -> None:
    make(tmp_path, ON_ROOT)
    assert "comes from the archive" in run(tmp_path, SAVE)
    ceph = recovered(tmp_path)
    run(tmp_path, RESTORE)
    assert (ceph / "mon/ceph-controller-0/store").read_text() == "as in the archive"


def on_disk(folder: Path, monitor: str = "ceph-controller-0") -> Path:
    """A disk that holds a monitor."""
    store = folder / "devices/vda2/var/lib/ceph/mon" / monitor / "store"
    store.parent.mkdir(parents=True)
    store.write_text("as it was at the end")
    return store


def test_an_attempt_after_one_that_has_failed_keeps_what_was_saved_first(tmp_path: Path) -> None:
    make(tmp_path, ON_ROOT)
    store = on_disk(tmp_path)
    run(tmp_path, SAVE)
    store.write_text("half of the archive's")
    assert "was saved by an attempt before" in run(tmp_path, SAVE)
    ceph = recovered(tmp_path)
    run(tmp_path, RESTORE)
    assert (ceph / "mon/ceph-controller-0/store").read_text() == "as it was at the end"


def test_what_was_being_restored_when_the_power_went_is_not_saved(tmp_path: Path) -> None:
    make(tmp_path, ON_ROOT)
    run(tmp_path, MARK)
    ceph = tmp_path / "mnt/local/var/lib/ceph"
    on_disk(tmp_path)
    (tmp_path / "devices/vda2/var/lib/ceph" / next(ceph.iterdir()).name).touch()
    assert "was being restored: the Ceph monitor's data comes from the archive" in run(tmp_path, SAVE)
    assert not (tmp_path / "tmp/ceph.tar.gz").exists()


def test_the_mark_is_gone_from_what_is_restored(tmp_path: Path) -> None:
    make(tmp_path, ON_ROOT)
    run(tmp_path, MARK)
    run(tmp_path, RESTORE)
    assert list((tmp_path / "mnt/local/var/lib/ceph").iterdir()) == []


def test_the_monitor_of_another_node_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    make(tmp_path, ON_ROOT)
    on_disk(tmp_path, "ceph-controller-01")
    assert "holds no Ceph monitor of controller-0: its data comes from the archive" in run(tmp_path, SAVE)
    assert not (tmp_path / "tmp/ceph.tar.gz").exists()


def test_a_disk_without_ceph_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path, ON_ROOT)
    (tmp_path / "devices/vda2/etc").mkdir(parents=True)
    run(tmp_path, SAVE)
    assert not (tmp_path / "tmp/ceph.tar.gz").exists()


@pytest.mark.parametrize("path", list(TEXTS))
def test_shellcheck_finds_nothing_wrong_with_them(tmp_path: Path, path: str) -> None:
    file = tmp_path / "script"
    file.write_text(TEXTS[path])
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    done = subprocess.run((str(shellcheck), str(file)), capture_output=True, text=True, timeout=60)
    assert done.stdout == ""


def test_they_are_put_in_place_once() -> None:
    there: dict[str, str] = {}

    def put(command: object) -> str:
        there[command.words[-1]] = command.stdin  # type: ignore[attr-defined]
        return ""

    shell = FakeShell()
    for path in TEXTS:
        shell.on(path, say=lambda _, path=path: there.get(path, "")).on("mv -fT", path, say=put)
    assert [apply_change(shell, put_scripts(), silent) for _ in range(2)] == ["done", "already"]
    assert there == TEXTS


@pytest.mark.parametrize(("code", "has"), [(0, True), (1, False)])
def test_a_node_with_a_monitor_is_known(code: int, has: bool) -> None:
    assert has_monitor(FakeShell().on("/var/lib/ceph/mon", say=code)) is has
