"""A node's firmware, and what ReaR needs to make an ISO that boots with it (BR 1.3 step 4, 2.3 and 3.3 step 3)."""

from __future__ import annotations

from blocks.remote.command import command, question, script
from blocks.remote.shell import Shell
from tasks.engine.change import Change

# What the document installs, by the programs that ReaR calls.
PACKAGES = {"dosfstools": "mkfs.vfat", "efibootmgr": "efibootmgr"}
UEFI_LINES = ("USING_UEFI_BOOTLOADER=1",)
_UEFI = "/sys/firmware/efi"

_MISSING = 'for each in "$@"; do type -P "$each" >/dev/null || printf "%s\\n" "$each"; done'


def booted_by_uefi(shell: Shell) -> bool:
    """Whether the node has booted by UEFI."""
    return shell.run(question("test", "-d", _UEFI, ok=(0, 1))).exit_code == 0


def missing_programs(shell: Shell, *programs: str) -> list[str]:
    """Which of these programs a host does not have."""
    return shell.run(script(_MISSING, *programs, quiet=True, changes=False)).stdout.split()


def install_tools(within_s: float) -> Change:
    """Install the tools for UEFI, as documented.

    Args:
        within_s: Seconds for the package manager.
    """
    return Change(
        (command("dnf", "-y", "install", *PACKAGES, timeout_s=within_s),),
        already=lambda shell: not missing_programs(shell, *PACKAGES.values()),
    )
