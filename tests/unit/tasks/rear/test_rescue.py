"""A rescue system: what it says of itself, and whether the image may be restored on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed, HostError, LoginRejected, Unreachable, WaitExpired
from tasks.engine.step import apply_change
from tasks.rear import rescue as rescue_system
from tasks.rear.matching import Rescue
from tasks.rear.rescue import (
    check_rescue,
    parse_rescue,
    read_rescue,
    read_volume_groups,
    rescue_state,
    wait_for_rescue,
)
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
    ("rescue", "named", "bmc", "said"),
    [
        (replace(RESCUE, uefi=True), (), UUID, "had booted by BIOS, and this has booted by UEFI"),
        (
            replace(RESCUE, unmatched=("multipath /dev/mapper/mpatha",)),
            (),
            UUID,
            "would write multipath /dev/mapper/mpatha",
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
    lines += [f"unmatched\t{each}" for each in rescue.unmatched]
    text = "\n".join(lines)
    assert parse_rescue(text) == rescue
    shell = FakeShell().on("rear-release", say=text).on("lvm pvs", say="")
    with pytest.raises(HostError, match=f"nothing was erased: .*{said}") as raised:
        apply_change(shell, check_rescue(IMAGE, named, bmc), silent)
    assert "take the others out" in raised.value.hint


def test_a_layout_that_somebody_has_put_into_rears_configuration_is_what_counts(tmp_path: Path) -> None:
    write_rescue(tmp_path)
    (tmp_path / "etc/rear/disklayout.conf").write_text(
        "disk /dev/vdb 1024 gpt\nmultipath /dev/mapper/mpatha 2048 gpt /dev/sda,/dev/sdb\n"
    )
    seen = read_rescue(LocalShell(tmp_path / "bin"), str(tmp_path))
    assert seen is not None
    assert seen.layout == (Disk("/dev/vdb", 1024),)
    assert seen.unmatched == ("multipath /dev/mapper/mpatha",)


def write_block(root: Path, name: str, **attributes: str) -> None:
    block = root / "sys/block" / name
    (block / "device").mkdir(parents=True)
    for attribute, value in {"size": "2048", "removable": "0", **attributes}.items():
        (block / attribute).write_text(f"{value}\n")


@pytest.mark.parametrize(
    ("properties", "ids"),
    [
        # Volumes of one RAID controller have the first half of their WWN in common.
        (
            "ID_WWN=0x6b083fe0d0a1b200 ID_WWN_WITH_EXTENSION=0x6b083fe0d0a1b20012 ID_SERIAL=36b08 ID_SERIAL_SHORT=6b08",
            {"0x6b083fe0d0a1b20012", "36b08", "6b08"},
        ),
        ("ID_WWN=eui.0025385 ID_SERIAL=SAMSUNG_1 ID_PATH=pci-0000:01:00.0-nvme-1", {"eui.0025385", "SAMSUNG_1"}),
        ("ID_PATH=pci-0000:00:05.0", {"pci-0000:00:05.0"}),
        ("ID_MODEL=x", set()),
    ],
)
def test_a_disk_is_known_by_what_no_other_can_say(tmp_path: Path, properties: str, ids: set[str]) -> None:
    write_rescue(tmp_path)
    write_block(tmp_path, "nvme0c0n1", hidden="1")
    write_block(tmp_path, "cciss!c0d0")
    (tmp_path / "bin/udevadm").write_text(f"#!/bin/bash\nprintf '%s\\n' {properties}\n")
    seen = read_rescue(LocalShell(tmp_path / "bin"), str(tmp_path))
    assert seen is not None
    assert {disk.device: disk.ids for disk in seen.disks} == {"/dev/cciss/c0d0": ids, "/dev/vda": ids}


def test_a_volume_group_of_the_same_name_on_another_disk_is_not_made_away_with(tmp_path: Path) -> None:
    write_rescue(tmp_path)
    here = LocalShell(tmp_path / "bin")
    assert read_volume_groups(here, str(tmp_path)) == [], "and LVM, which may not be there, is not asked"
    layout = tmp_path / "var/lib/rear/layout/disklayout.conf"
    layout.write_text(f"disk /dev/vda {6 * GIB} gpt\nlvmgrp /dev/vg 4096 1 4096\n")
    for name, text in {
        "lvm": r"printf '  %s\n' '/dev/vda2 vg' '/dev/vdb1 vg' '/dev/vdc1 vg2' '[unknown] vg' '/dev/vdd1'",
        "lsblk": r'printf "%s part\n%s disk\n" "${@: -1}" "$(tr -d 0-9 <<<"${@: -1}")"',
    }.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    groups = read_volume_groups(here, str(tmp_path))
    assert groups == [("vg", "/dev/vda"), ("vg", "/dev/vdb")]
    shell = FakeShell().on("rear-release", say=SAID).on("lvm pvs", say="vg\t/dev/vda\nvg\t/dev/vdb\n")
    with pytest.raises(HostError, match="volume group vg, which ReaR would make, is on /dev/vdb, which ReaR does not"):
        apply_change(shell, check_rescue(IMAGE, (), UUID), silent)


def test_a_node_that_has_left_its_rescue_system_is_not_recovered() -> None:
    with pytest.raises(HostError, match="it has left its rescue system"):
        apply_change(FakeShell().on("rear-release", say=""), check_rescue(IMAGE, (), UUID), silent)
    assert rescue_system.USER == "root"
    with pytest.raises(CommandFailed):
        read_rescue(FakeShell().on("rear-release", say=1))
