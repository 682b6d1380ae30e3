"""restore-node on a machine whose disk is empty: its image, made by ReaR there, brings it back through its BMC."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import file_digest

import pytest

from tests.bare_metal.hypervisor import NAME, Disk
from tests.bare_metal.metal import STORE, Metal

_RUNBOOKS, _IMAGE = "tests.backups.run", "tests.bare_metal.image_node"
_APPROVED = {"nodes": [NAME], "approved_by": "a test"}
_DISKS = {NAME: ["METAL0-REPLACED"]}


def sha256(disk: Disk) -> str:
    with disk.path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@dataclass
class Imaged:
    """The machine with an image on the store.

    Attributes:
        metal: The machine.
        before: What must be as before.
        beside: The sum of the disk beside it.
    """

    metal: Metal
    before: str
    beside: str


@pytest.fixture(scope="module")
def imaged(metal: Metal) -> Imaged:
    metal.boot()
    for runbook in ("prepare-backup-node", "install-rear"):
        ended = metal.run(_RUNBOOKS, runbook)
        assert ended.code == 0, ended.output[-6000:]
    before = metal.fingerprint()
    ended = metal.run(_IMAGE, "")
    assert ended.code == 0, ended.output[-6000:]
    assert metal.lab.exec("backup", f"find {STORE}/images -name SHA256SUMS").stdout.count(f"/{NAME}/") == 1
    metal.hypervisor.cut_power()
    return Imaged(metal, before, sha256(metal.beside))


def test_a_node_whose_disk_is_empty_comes_back(imaged: Imaged) -> None:
    metal = imaged.metal
    metal.replace_disk()
    refused = metal.run(_RUNBOOKS, "restore-node", **_APPROVED)
    assert refused.code == 1
    assert "METAL0-REPLACED" in refused.output, "there is another disk beside it, and nobody has named this one"
    ended = metal.run(_RUNBOOKS, "restore-node", disks=_DISKS, **_APPROVED)
    assert ended.code == 0, ended.output[-6000:]
    assert metal.fingerprint() == imaged.before
    bmc = metal.bmc.client()
    assert (bmc.power(), bmc.image()) == ("On", ""), "and the ISO is out"
    bmc.close()
    metal.hypervisor.cut_power()
    assert sha256(metal.beside) == imaged.beside


def test_a_damaged_archive_is_seen_before_any_power_is_cut(imaged: Imaged) -> None:
    metal = imaged.metal
    (archive,) = metal.lab.exec("backup", f"ls {STORE}/images/{NAME}/*/backup.tar.gz").stdout.split()
    flip = "at=$(($(stat -c %s $1) / 2)); printf '\\x5a' | dd of=$1 bs=1 seek=$at conv=notrunc status=none"
    metal.lab.exec("backup", f"cp -p {archive} /srv/whole.tar.gz")
    metal.lab.exec("backup", ["bash", "-c", flip, "flip", archive])
    metal.replace_disk()
    metal.hypervisor.power_on()
    ended = metal.run(_RUNBOOKS, "restore-node", disks=_DISKS, **_APPROVED)
    metal.lab.exec("backup", f"mv /srv/whole.tar.gz {archive}")
    assert ended.code == 1
    assert "step 0 (Compare the images on the store with their sums) failed" in ended.output
    assert metal.hypervisor.state == "running", "its power is as it was"


def test_killed_in_each_phase_it_goes_on_to_the_same_end(imaged: Imaged) -> None:
    metal = imaged.metal
    metal.replace_disk()
    for kill in ("--kill-after 2.3", "--kill-during 4", "--kill-after 5", "--kill-during 7b"):
        ended = metal.run(_RUNBOOKS, "restore-node", *kill.split(), disks=_DISKS, **_APPROVED)
        assert ended.killed, f"{kill}: {ended.output[-6000:]}"
    ended = metal.run(_RUNBOOKS, "restore-node", disks=_DISKS, **_APPROVED)
    assert ended.code == 0, ended.output[-6000:]
    assert metal.fingerprint() == imaged.before
    metal.hypervisor.cut_power()
    assert sha256(metal.beside) == imaged.beside
