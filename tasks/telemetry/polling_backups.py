"""The old file that was kept beside the one whose interval was changed: found, judged, put back.

Only what bears a stamp of this runbook is taken for its own, and nothing that somebody has written since is lost.
"""

from __future__ import annotations

import re
from dataclasses import replace

from blocks.remote.command import script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.engine.change import Change
from tasks.telemetry.polling import TelemetryFile, digest, find_source, is_broken, kept_name, read_first, with_interval

# As `tasks.engine.journal.Journal.stamp` writes it.
_STAMP = re.compile(r"\d{8}T\d{6}Z")


def broken_name(path: str, stamp: str) -> str:
    """Where a broken file is kept when the old one is put back in its place."""
    return f"{path}.broken-{stamp}"


def read_stamps(shell: Shell, path: str) -> list[str]:
    """List the stamps of the files that this runbook has kept, the oldest first; others' copies beside them are not ours.

    Nor is a link: it leads to the file that was changed.
    """
    look = """for f in "$1".before-*; do [ ! -f "$f" ] || [ -L "$f" ] || printf "%s\\n" "${f#"$1".before-}"; done"""
    return sorted(filter(_STAMP.fullmatch, shell.run(script(look, path, quiet=True)).stdout.splitlines()))


def read_kept(shell: Shell, path: str, stamp: str) -> TelemetryFile | None:
    """Read what was kept under a stamp, as the file that it was; None where nothing was."""
    found = read_first(shell, (kept_name(path, stamp),))
    return replace(found, path=path) if found is not None else None


def same_but_interval(backup: TelemetryFile, other: TelemetryFile) -> bool:
    """Whether two files differ in nothing but the interval of the source that polls CPU."""
    try:
        return with_interval(backup, find_source(other).interval_s) == other.text
    except HostError:
        return False


def may_replace(file: TelemetryFile, kept: TelemetryFile) -> bool:
    """Whether the kept file may be put back: what somebody has written since would be lost, unless it is broken."""
    return same_but_interval(kept, file) or (is_broken(file) and not is_broken(kept))


# A broken file is copied aside, as a whole or not at all, before the old one takes its place.
_PUT_BACK = """
[ -e "$2" ] || exit 0
file="$(readlink -f -- "$1")"
[ "$(sha256sum <"$file" | cut -d" " -f1)" = "$3" ] || { echo "$1 has changed since it was read"; exit 17; }
[ -z "$4" ] || cp -a -- "$file" "$4.part"
[ -z "$4" ] || mv -T -- "$4.part" "$4"
mv -fT -- "$2" "$file"
"""


def put_back(file: TelemetryFile, stamp: str, broken_stamp: str) -> Change:
    """Put the old file back in one move; nothing to do where it is not kept any more.

    Args:
        file: As it is now, and was read. Where it is broken, it is kept too: somebody has written it.
        stamp: Of what is kept.
        broken_stamp: For the name of the broken one.
    """
    kept = kept_name(file.path, stamp)
    aside = broken_name(file.path, broken_stamp) if is_broken(file) else ""
    says = f"put {kept} back as {file.path}"
    return Change(
        (script(_PUT_BACK, file.path, kept, digest(file.text), aside, says=says),),
        already=lambda shell: stamp not in read_stamps(shell, file.path),
    )
