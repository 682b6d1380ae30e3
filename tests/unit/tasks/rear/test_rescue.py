"""A rescue system: what it says of itself, and whether the image may be restored on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed, HostError, LoginRejected, Unreachable, WaitExpired
from tasks.engine.step import apply_change
from tasks.rear import rescue as rescue_system
from tasks.rear.rescue import Rescue, check_rescue, judge, parse_rescue, read_rescue, rescue_state, wait_for_rescue
from tasks.rear.stored_images import Disk, StoredImage
from tests.unit.fakes import FakeClock, FakeShell, LocalShell, silent

GIB = 2**30
VDA = Disk("/dev/vda", 6 * GIB, frozenset({"S1"}))
VDB = Disk("/dev/vdb", 6 * GIB, frozenset({"S2"}))
UUID = "38947555-7742-3448-3784-823347823834"
IMAGE = StoredImage(
    "controller-0",
    "controller-0/20261127T020000Z",
    "x.iso",
    GIB,
    True,
    False,
    (VDA,),
    "/dev/vda1",
    ("tripleo_keystone.service",),
)
RESCUE = Rescue(IMAGE.run, UUID, False, (Disk("/dev/vda", 6 * GIB),), (VDA,))
SAID = f"rescue\nrun\t{IMAGE.run}\nuuid\t{UUID.upper()}\nlayout\t/dev/vda\t{6 * GIB}\ndisk\t/dev/vda\t{6 * GIB}\tS1 \n"


def write_rescue(root: Path) -> None:
    for name, text in {
        "etc/rear-release": "Relax-and-Recover 2.4",
        "etc/rear/rescue.conf": f"BACKUP_URL=nfs://x\nNETFS_PREFIX='{IMAGE.run}'\n",
        "sys/class/dmi/id/product_uuid": UUID.upper(),
        "var/lib/rear/layout/disklayout.conf": f"disk /dev/vda {6 * GIB} msdos\n#disk /dev/vdb 1 gpt\npart /dev/vda 1 2\n",
        "sys/block/vda/size": str(6 * GIB // 512),
        "sys/block/vda/removable": "0",
        "sys/block/vda/device/x": "",
        "sys/block/sr0/size": "2048",
        "sys/block/sr0/removable": "1",
        "sys/block/sr0/device/x": "",
        "sys/block/loop0/size": "2048",
        "sys/block/loop0/removable": "0",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    program = root / "bin/udevadm"
    program.parent.mkdir()
    program.write_text("#!/bin/bash\necho ID_MODEL=x; echo ID_SERIAL=S1\n")
    program.chmod(0o755)


def test_it_says_its_image_its_machine_and_its_disks(tmp_path: Path) -> None:
    write_rescue(tmp_path)
    assert read_rescue(LocalShell(tmp_path / "bin"), str(tmp_path)) == RESCUE


def test_a_node_that_runs_its_own_system_is_none(tmp_path: Path) -> None:
    assert read_rescue(LocalShell(), str(tmp_path)) is None


def test_a_name_without_quotes_is_read_too(tmp_path: Path) -> None:
    write_rescue(tmp_path)
    (tmp_path / "etc/rear/rescue.conf").write_text(f"NETFS_PREFIX={IMAGE.run}\n")
    seen = read_rescue(LocalShell(tmp_path / "bin"), str(tmp_path))
    assert seen is not None
    assert seen.run == IMAGE.run


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (SAID, "ready"),
        ("", "the node's own system"),
        (LoginRejected("controller-0", "root was refused"), "the node's own system"),
        (Unreachable("controller-0", "no route"), "no answer"),
    ],
)
def test_what_answers_is_known(said: str | Exception, state: str) -> None:
    assert rescue_state(FakeShell().on("rear-release", say=said), IMAGE) == state


def test_the_rescue_system_of_another_image_is_not_taken_for_this_ones() -> None:
    shell = FakeShell().on("rear-release", say=SAID.replace("20261127", "20261126"))
    with pytest.raises(HostError, match="its rescue system is of the image controller-0/20261126T020000Z, and not of"):
        apply_change(shell, wait_for_rescue(IMAGE, 60), silent)


def test_a_rescue_system_that_never_answers_is_told_with_what_did(clock: FakeClock) -> None:
    with pytest.raises(
        WaitExpired, match="never became 'ready' within 1:00 min; last seen \"the node's own system\""
    ) as raised:
        apply_change(FakeShell().on("rear-release", say=""), wait_for_rescue(IMAGE, 60), silent)
    assert "console" in raised.value.hint


def test_no_program_that_a_rescue_system_lacks_is_called() -> None:
    shell = FakeShell().on("rear-release", say=SAID)
    read_rescue(shell)
    assert not any(word in shell.ran[0].line for word in ("sudo", "timeout"))


@pytest.mark.parametrize(
    ("image", "rescue", "named", "bmc"),
    [
        (IMAGE, RESCUE, (), UUID),
        (IMAGE, RESCUE, (), ""),
        (IMAGE, RESCUE, (), "55759438-4277-4834-3784-823347823834"),  # the same with its bytes turned round
        (IMAGE, replace(RESCUE, disks=(replace(VDA, ids=frozenset({"new"}), size_bytes=9 * GIB),)), (), UUID),
        (IMAGE, replace(RESCUE, disks=(VDB, VDA)), (), UUID),
        (IMAGE, replace(RESCUE, disks=(replace(VDA, ids=frozenset({"new"})), VDB)), ("new",), UUID),
    ],
)
def test_the_machine_and_disk_of_then_may_be_restored(
    image: StoredImage, rescue: Rescue, named: tuple[str, ...], bmc: str
) -> None:
    assert judge(image, rescue, named, bmc) == []


@pytest.mark.parametrize(
    ("rescue", "named", "bmc", "said"),
    [
        (replace(RESCUE, uefi=True), (), UUID, "had booted by BIOS, and this has booted by UEFI"),
        (RESCUE, (), UUID.replace("3", "4"), "this is another machine"),
        (replace(RESCUE, layout=()), (), UUID, "ReaR's layout names no disk"),
        (replace(RESCUE, disks=(VDB,)), (), UUID, "there is no disk /dev/vda, which ReaR would write"),
        (replace(RESCUE, disks=(replace(VDA, size_bytes=GIB),)), (), UUID, "is smaller than the 6.0 GiB"),
        # The other disk has the name of the one that is meant: nothing of it may be lost.
        (
            replace(RESCUE, disks=(replace(VDB, device="/dev/vda"), replace(VDA, device="/dev/vdb"))),
            (),
            UUID,
            r"/dev/vda \(6.0 GiB, S2\) is not the one that was /dev/vda, there are others beside it, and nobody has named it",
        ),
        (replace(RESCUE, disks=(replace(VDA, ids=frozenset()), VDB)), ("S2",), UUID, "nobody has named it"),
    ],
)
def test_nothing_is_erased_where_anything_does_not_fit(
    rescue: Rescue, named: tuple[str, ...], bmc: str, said: str
) -> None:
    lines = ["rescue", f"run\t{rescue.run}", f"uuid\t{rescue.uuid}", *(["uefi"] if rescue.uefi else [])]
    lines += [f"layout\t{disk.device}\t{disk.size_bytes}" for disk in rescue.layout]
    lines += [f"disk\t{disk.device}\t{disk.size_bytes}\t{' '.join(disk.ids)}" for disk in rescue.disks]
    text = "\n".join(lines)
    assert parse_rescue(text) == rescue
    with pytest.raises(HostError, match=f"nothing was erased: .*{said}") as raised:
        apply_change(FakeShell().on("rear-release", say=text), check_rescue(IMAGE, named, bmc), silent)
    assert "take the others out" in raised.value.hint


def test_a_node_that_has_left_its_rescue_system_is_not_recovered() -> None:
    with pytest.raises(HostError, match="it has left its rescue system"):
        apply_change(FakeShell().on("rear-release", say=""), check_rescue(IMAGE, (), UUID), silent)
    assert rescue_system.USER == "root"
    with pytest.raises(CommandFailed):
        read_rescue(FakeShell().on("rear-release", say=1))
