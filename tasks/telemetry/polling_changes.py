"""Changes of the file that says how often Ceilometer polls (AS 1.2 step 4, 1.3 step 3): another interval, the old file put back.

Both replace the file in one move, and neither overwrites what somebody has written since it was read.
"""

from __future__ import annotations

from dataclasses import replace

from blocks.remote.command import script
from tasks.engine.change import Change
from tasks.telemetry.polling import (
    PollingFile,
    backup_path,
    find_source,
    is_broken,
    read_existing,
    sha256,
    with_interval,
)
from tasks.telemetry.polling_backups import broken_path, read_stamps

# The old file is kept before the new one takes its place, in one move and with its owner, mode and label. What somebody else
# has changed since it was read is not overwritten. A link stays a link.
_WRITE = """
file="$(readlink -f -- "$1")"
new="$file.openstack-runbooks"
[ "$(sha256sum <"$file" | cut -d" " -f1)" = "$3" ] || { echo "$1 has changed since it was read"; exit 17; }
[ -e "$2" ] || cp -a -- "$file" "$2.part"
[ -e "$2" ] || mv -T -- "$2.part" "$2"
cp -a -- "$file" "$new"
cat >"$new"
mv -fT -- "$new" "$file"
"""


def set_interval(file: PollingFile, seconds: int, stamp: str) -> Change:
    """Change the interval on the file's host, keeping the old file.

    Args:
        file: As it was read.
        seconds: The new interval.
        stamp: For the name of what is kept.

    Raises:
        HostError: As `with_interval`.
    """
    text = with_interval(file, seconds)
    return Change(
        (
            script(
                _WRITE,
                file.path,
                backup_path(file.path, stamp),
                sha256(file.text),
                stdin=text,
                stdin_is=f"the same file with an interval of {seconds} s",
                says=f"set the interval in {file.path}",
            ),
        ),
        already=lambda shell: (
            find_source(replace(file, text=read_existing(shell, (file.path,)).text)).interval_s == seconds
        ),
    )


# A broken file is copied aside, as a whole or not at all, before the old one takes its place.
_PUT_BACK = """
[ -e "$2" ] || exit 0
file="$(readlink -f -- "$1")"
[ "$(sha256sum <"$file" | cut -d" " -f1)" = "$3" ] || { echo "$1 has changed since it was read"; exit 17; }
[ -z "$4" ] || cp -a -- "$file" "$4.part"
[ -z "$4" ] || mv -T -- "$4.part" "$4"
mv -fT -- "$2" "$file"
"""


def put_back(file: PollingFile, stamp: str, broken_stamp: str) -> Change:
    """Put the old file back in one move; nothing to do where it is not kept any more.

    Args:
        file: As it is now, and was read. Where it is broken, it is kept too: somebody has written it.
        stamp: Of what is kept.
        broken_stamp: For the name of the broken one.
    """
    backup = backup_path(file.path, stamp)
    aside = broken_path(file.path, broken_stamp) if is_broken(file) else ""
    says = f"put {backup} back as {file.path}"
    return Change(
        (script(_PUT_BACK, file.path, backup, sha256(file.text), aside, says=says),),
        already=lambda shell: stamp not in read_stamps(shell, file.path),
    )
