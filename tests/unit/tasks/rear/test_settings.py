"""What ReaR reads, and what of it is not as it should be."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from blocks.remote.command import script
from tasks.rear.settings import EXCLUDED, Settings, Wanted, differences, parse_settings
from tests.unit.fakes import LocalShell

URL = "nfs://192.168.24.100/ctl_plane_backups"
SSH = "/etc/ssh/ssh_config.d/x.conf"
WANTED = Wanted(URL, URL, True, ("ip link set eth0 up",), "0123456789ab", (SSH,))
GOOD = {
    "OUTPUT_URL": (URL,),
    "BACKUP_URL": (URL,),
    "BACKUP_PROG_EXCLUDE": ("/data/*", *EXCLUDED),
    "BACKUP_INTEGRITY_CHECK": ("1",),
    "ISO_DEFAULT": ("manual",),
    "GRUB2_DEFAULT_BOOT": ("rear",),
    "NETFS_PREFIX": ("controller-0/20261127T020000Z",),
    "OUTPUT_PREFIX": ("controller-0/20261127T020000Z",),
    "USING_UEFI_BOOTLOADER": ("1",),
    "NETWORKING_PREPARATION_COMMANDS": ("ip link set eth0 up",),
    "COPY_AS_IS": ("/usr/share/rear", SSH),
    "PROGS": ("blockdev",),
    "OPENSTACK_RUNBOOKS": ("0123456789ab",),
}


def test_what_is_as_it_should_be_has_no_difference() -> None:
    assert differences(Settings(GOOD), WANTED) == []
    # Where the node has not booted by UEFI, and ReaR's own network will do, neither is asked for.
    plain = replace(WANTED, uefi=False, networking=())
    without = {**GOOD, "USING_UEFI_BOOTLOADER": ("0",), "NETWORKING_PREPARATION_COMMANDS": ()}
    assert differences(Settings(without), plain) == []


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("OUTPUT_URL", (), "OUTPUT_URL is not set, and not nfs://"),
        ("BACKUP_URL", ("iso:///backup/",), "BACKUP_URL is iso:///backup/, and not nfs://"),
        ("BACKUP_URL", ("sftp://u:hunter2@h/",), "BACKUP_URL holds a password"),
        (
            "BACKUP_PROG_EXCLUDE",
            ("/data/*", *EXCLUDED[:2]),
            "BACKUP_PROG_EXCLUDE lacks /var/lib/rear/output/* /var/tmp/rear.*",
        ),
        ("BACKUP_INTEGRITY_CHECK", (), "BACKUP_INTEGRITY_CHECK is not 1"),
        ("ISO_DEFAULT", ("automatic",), "an ISO would not boot its rescue system and wait there"),
        ("ISO_RECOVER_MODE", ("unattended",), "an ISO would not boot its rescue system and wait there"),
        ("GRUB2_DEFAULT_BOOT", (), "an ISO would not boot its rescue system and wait there"),
        ("NETFS_PREFIX", ("controller-0",), "NETFS_PREFIX and OUTPUT_PREFIX are not one directory a run"),
        ("OUTPUT_PREFIX", ("controller-0",), "NETFS_PREFIX and OUTPUT_PREFIX are not one directory a run"),
        ("USING_UEFI_BOOTLOADER", ("0",), "USING_UEFI_BOOTLOADER is not 1"),
        ("NETWORKING_PREPARATION_COMMANDS", (), "NETWORKING_PREPARATION_COMMANDS is not what"),
        ("COPY_AS_IS", ("/usr/share/rear",), f"COPY_AS_IS lacks {SSH}"),
        ("PROGS", ("rpcbind",), "PROGS lacks blockdev"),
        ("OPENSTACK_RUNBOOKS", ("another",), "the role was not run with these variables"),
    ],
)
def test_each_setting_that_is_not_as_it_should_be_is_told(name: str, values: tuple[str, ...], said: str) -> None:
    (difference,) = differences(Settings({**GOOD, name: values}), WANTED)
    assert difference.startswith(said)
    assert "hunter2" not in difference


def test_an_empty_password_for_lftp_is_none() -> None:
    assert Settings({"OUTPUT_URL": ("sftp://rear:@h/x/",)}).with_password == []


def test_arrays_come_a_value_a_line() -> None:
    settings = parse_settings("A\tone\nA\ttwo words\nB\t\n")
    assert settings.all("A") == ("one", "two words")
    assert settings.one("B") == ""


def test_bash_reads_the_lines_as_they_are_meant(here: LocalShell) -> None:
    commands = ("ip link add br-ex type bridge", 'echo "$HOME" \\ *')
    wanted = replace(WANTED, networking=commands)
    text = "\n".join(("HOSTNAME=c; MODULES=(a)", *wanted.mended, *wanted.network_lines))
    show = 'printf "%s\\n" "${NETWORKING_PREPARATION_COMMANDS[@]}" "${MODULES[*]}" "$NETFS_PREFIX"'
    said = here.run(script(f"{text}\n{show}")).stdout.splitlines()
    assert said[:3] == [*commands, "a bridge 8021q"]
    assert said[3].startswith("c/20")
    assert shlex.split(wanted.network_lines[2].replace("\\\n", ""))[1:-1] == list(commands)
