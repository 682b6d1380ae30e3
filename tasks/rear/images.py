"""Images of nodes by ReaR: making one, and seeing on the store that it is whole (BR 2.5 and 3.5, step 3).

ReaR's exit code says little: it is 0 where tar has ended with an error. So an image is what lies on the store afterwards: an
archive that can be read to its end and has the checksum that ReaR has written down, a log without tar's warning, an ISO, and no
lock of a run that has not ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from blocks.remote.command import question, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from blocks.store import BackupStore
from tasks.engine.change import Change
from tasks.rear.rescue_script import record_of
from tasks.rear.settings import Settings, read_settings
from tasks.rear.sftp import image_folder

# The sums of a whole image's files, which is written last: an image without it was never found to be whole.
SUMS = "SHA256SUMS"
_RUN = re.compile(r"^([^/]+)/\d{8}T\d{6}Z$")
_USED = "df --output=used -B 1 -l -x tmpfs -x devtmpfs -x overlay | tail -n +2"
# As ReaR names them to tar, which patterns are expanded for. What is not there, or vanishes meanwhile, is no matter.
_INCLUDED = """
# shellcheck disable=SC2068 # patterns
set -- $@
[ "$#" = 0 ] || du -s -B 1 -- "$@" 2>/dev/null | cut -f 1 || :
"""


def images_root(store: BackupStore) -> str:
    """The directory on the store that holds the nodes' folders."""
    return store.path if store.kind == "nfs" else image_folder(store.path)


def read_used_bytes(shell: Shell) -> int:
    """What ReaR may put into an image: no image is larger.

    It is what the node's own file systems hold, or what `BACKUP_PROG_INCLUDE` names where that alone is archived.
    """
    settings = read_settings(shell)
    if settings.is_true("BACKUP_ONLY_INCLUDE"):
        ask = script(_INCLUDED, *settings.all("BACKUP_PROG_INCLUDE"), quiet=True, changes=False, timeout_s=300)
    else:
        ask = script(_USED, quiet=True, changes=False)
    return sum(int(line) for line in shell.run(ask).stdout.split())


def find_folder(shell: Shell) -> str:
    """The folder of a node's images on the store: the name that ReaR has for the host.

    Raises:
        HostError: ReaR is not there, or not set up by install-rear; or it is at work.
    """
    settings = read_settings(shell)
    if shell.run(question("pgrep", "--exact", "rear", ok=(0, 1))).exit_code == 0:
        raise HostError(shell.name, "ReaR is at work there", "wait for it; see who has started it")
    if reason := not_set_up(settings):
        raise HostError(shell.name, reason, "start install-rear")
    found = _RUN.match(settings.one("NETFS_PREFIX"))
    assert found is not None, "not_set_up has seen it"
    return found[1]


def not_set_up(settings: Settings) -> str:
    """Why ReaR's configuration is none that install-rear has made; empty where it is."""
    if not settings.one("OPENSTACK_RUNBOOKS"):
        return "ReaR is not set up by install-rear"
    if settings.one("BACKUP_INTEGRITY_CHECK") != "1" or not _RUN.match(settings.one("NETFS_PREFIX")):
        return "ReaR would make images without a checksum, or over one another"
    if settings.one("ISO_DEFAULT") != "manual":
        return "ReaR would make ISOs that recover by themselves whenever they are booted"
    return ""


def job_key(runbook: str, run_id: str) -> str:
    """The key of the units that make images: with the run's id, so that no run takes another's for its own."""
    return f"{runbook}-rear-{run_id[:8]}"


def jobs(runbook: str) -> str:
    """The pattern of all these units."""
    return f"openstack-runbooks-{runbook}-rear-*.service"


# ReaR says where its archive is, and at the end how large it is; in between its size is looked at, where the store is mounted. What
# ReaR itself counts up while tar is at work it writes to terminals alone.
_HOW_FAR = r"""
log=$1 expected=$2
archive=$(sed -nE "s/^Creating .* archive '(.*)'/\1/p" "$log" | tail -n 1)
archived=$(sed -nE 's/^Archived ([0-9]+) MiB .*/\1/p' "$log" | tail -n 1)
size=$(stat -c %s "$archive" 2>/dev/null) || size=$((${archived:-0} * 1048576))
phase=$(grep . "$log" | tail -n 1)
seen=$(numfmt --to=iec-i --suffix=B "$size") whole=$(numfmt --to=iec-i --suffix=B "$expected")
printf '%s %s\n%s, %s of about %s archived\n' "$size" "$expected" "$phase" "$seen" "$whole"
"""


def make_image(key: str, within_s: float, expected_bytes: int = 0) -> Change:
    """Make the image of a node: ISO and archive. Its output is followed, and it outlives the connection.

    Args:
        key: Of the unit (`job_key`).
        within_s: Seconds until it is ended.
        expected_bytes: How large the archive may become, for how far it is; 0 where nobody knows.
    """
    long = LongCommand(key, ("rear", "-v", "mkbackup"), within_s, says="make the image of the node")
    ask = script(_HOW_FAR, long.log, str(expected_bytes), quiet=True, changes=False)
    return Change((replace(long, progress_query=ask),))


@dataclass(frozen=True)
class Known:
    """What is on the store of a node's images.

    Attributes:
        runs: Names of the directories, one for each run of ReaR.
        latest_bytes: Size of the latest that is whole; None where there is none.
    """

    runs: tuple[str, ...] = ()
    latest_bytes: int | None = None


_LIST = """
sums=$2
cd "$1" 2>/dev/null || exit 0
shift 2
for host in "$@"; do
  for run in "$host"/*Z; do
    [ -d "$run" ] || continue
    size=
    [ ! -s "$run/$sums" ] || size=$(du -s -B 1 "$run" | cut -f 1)
    printf '%s\\t%s\\t%s\\n' "$host" "${run#*/}" "$size"
  done
done
"""


def list_images(store: Shell, root: str, folders: Sequence[str]) -> dict[str, Known]:
    """Ask the store which images there are, by folder.

    Args:
        store: The store's host.
        root: The directory that holds the folders.
        folders: The nodes'.
    """
    said = store.run(script(_LIST, root, SUMS, *folders, quiet=True, changes=False, timeout_s=300)).stdout
    return parse_images(said, folders)


def parse_images(text: str, folders: Sequence[str]) -> dict[str, Known]:
    """Read what the store prints: folder, run and size of a whole image a line."""
    found = {folder: Known() for folder in folders}
    for folder, run, size in (line.split("\t") for line in text.splitlines()):
        before = found[folder]
        found[folder] = Known((*before.runs, run), int(size) if size else before.latest_bytes)
    return found


# What tar ends with a warning for, and no image is worse for: the kernel's own file systems, of which the mount points alone are
# archived; a log that grew, of which the archive holds what there was when tar came to it.
_HARMLESS = "^tar: /((sys|proc|dev|run)(/.*)?|var/log/.*): file changed as we read it$"
# What is new is what was not there before, the latest of it: an attempt that was cut short has left one, too.
_FIND = """
root=$1 folder=$2
shift 2
new=
cd "$root/$folder" 2>/dev/null || { echo "there is no $root/$folder" >&2; exit 65; }
for run in *Z; do
  case " $* " in *" $run "*) ;; *) [ ! -d "$run" ] || new=$run ;; esac
done
[ -n "$new" ] || { echo "ReaR has left nothing new in $root/$folder" >&2; exit 65; }
cd "$new" || exit
"""
_CHECK = f"""
{_FIND}
wrong=()
[ ! -e .lockfile ] || wrong+=("ReaR has not ended: there is a .lockfile")
archive=$(find . -maxdepth 1 -name 'backup.tar*' -not -name '*.md5' -print)
if [ ! -s "$archive" ]; then
  wrong+=("there is no archive")
else
  tar -tf "$archive" >/dev/null || wrong+=("the archive can't be read to its end")
  if [ ! -s "$archive.md5" ]; then
    wrong+=("ReaR has written down no checksum of the archive")
  elif [ "$(md5sum <"$archive" | cut -d ' ' -f 1)" != "$(head -n 1 "$archive.md5" | cut -d ' ' -f 1)" ]; then
    wrong+=("the archive's checksum is not the one that ReaR has written down")
  fi
fi
logs=$(find . -maxdepth 1 -name '*.log' -print)
if [ -z "$logs" ]; then
  wrong+=("there is no log of ReaR's")
elif {{ cat ./*.log "$root/rear-$folder.log" 2>/dev/null || :; }} | grep 'WARNING: tar ended' >/dev/null; then
  told=$(cat ./*.log | grep '^tar: ' | grep -v '^tar: Removing leading') || :
  if [ -z "$told" ] || grep -vE '{_HARMLESS}' <<<"$told" >&2; then
    wrong+=("tar has ended with a warning: the archive lacks files, or holds them half written")
  fi
fi
[ -n "$(find . -maxdepth 1 -name '*.iso' -print)" ] || [ -s "$root/$folder.iso" ] || wrong+=("there is no ISO")
[ "${{#wrong[@]}}" = 0 ] || {{ printf '%s\\n' "${{wrong[@]}}" >&2; exit 65; }}
echo "$folder/$new is whole: $(du -s -B 1 . | cut -f 1) bytes"
"""
# By SFTP ReaR puts ISO, log and record above the folders, where those of the next run would replace them.
_CLOSE = f"""
{_FIND}
umask 077
for file in "$root/$folder.iso" "$root/rear-$folder.log" "$root"/{record_of("*")}; do
  [ -e "$file" ] || continue
  case $file in
    # Of all nodes the latest: each knows which image it belongs to.
    *.record) grep -q -x -F "$(printf 'run\t%s' "$folder/$new")" "$file" || continue ;;
  esac
  mv -f -- "$file" .
done
find . -maxdepth 1 -type f -not -name '{SUMS}*' -exec sha256sum {{}} + >{SUMS}.new
sync {SUMS}.new
mv -fT -- {SUMS}.new {SUMS}
sync .
"""


def _on_store(text: str, key: str, says: str, root: str, known: Mapping[str, Known], within_s: float) -> Change:
    return Change(
        tuple(
            LongCommand(
                key,
                ("bash", "-o", "errexit", "-o", "pipefail", "-c", text, "bash", root, folder, *before.runs),
                within_s,
                says=f"{says} {folder}",
            )
            for folder, before in known.items()
        )
    )


def check_images(key: str, root: str, known: Mapping[str, Known], within_s: float) -> Change:
    """See on the store that there is a new, whole image in each folder.

    Args:
        key: Of the units that do it.
        root: The directory that holds the folders.
        known: Folder → what was there before.
        within_s: Seconds for each: an archive is read to its end.
    """
    return _on_store(_CHECK, f"{key}-check", "see that the image is whole:", root, known, within_s)


def close_images(key: str, root: str, known: Mapping[str, Known], within_s: float) -> Change:
    """Write down the sums of each image's files, once all of them are whole.

    Args:
        key: Of the units that do it.
        root: The directory that holds the folders.
        known: Folder → what was there before.
        within_s: Seconds for each.
    """
    return _on_store(_CLOSE, f"{key}-close", "write down the sums of the image:", root, known, within_s)
