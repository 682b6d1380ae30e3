"""Takes a program's place: refuses what an old version would have refused, and becomes the program for the rest."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from . import podman, systemd
from .refusal import Refusal

CHECKS: dict[str, Callable[[list[str]], None]] = {
    "podman": podman.check,
    "systemctl": systemd.check_ctl,
    "systemd-run": systemd.check_run,
}
_PREFIXES = {"podman": "Error: "}


def main(name: str, argv: list[str], real: str) -> None:
    """Becomes the real program, or ends with the words and the exit code of a refusal.

    Args:
        name: The program whose place is taken.
        argv: The words of the call; the first is what it was called as, by which some programs know what to do.
        real: The directory with the programs whose places were taken.
    """
    if not _called_by_conmon():
        try:
            CHECKS[name](argv[1:])
        except Refusal as refusal:
            print(f"{_PREFIXES.get(name, '')}{refusal}", file=sys.stderr)
            sys.exit(refusal.code)
    os.execv(f"{real}/{name}", argv)  # noqa: S606 - no shell is wanted here


def _called_by_conmon() -> bool:
    """Whether the call is podman's own, with the flags of its own version, to clean up after a container's end."""
    try:
        with open(f"/proc/{os.getppid()}/comm") as file:  # noqa: PTH123 - pathlib would take longer than all the rest
            return file.read().strip() == "conmon"
    except OSError:
        return False
