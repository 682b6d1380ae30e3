"""A data directory that is made beside the one in use, while that one still serves, and takes its place by a rename.

No document has it. What takes long, loading, happens before anything is stopped; and since every node of a Galera cluster gets the
same files and the same `grastate.dat`, the cluster forms without a state transfer (IST of the few write sets since).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blocks.remote.command import Command, script
from blocks.remote.connection import Performed, Watch
from blocks.remote.relay import relay
from blocks.remote.shell import Shell
from tasks.database.data_directory import DISCARD, LABEL, exists
from tasks.engine.change import Call, Change

# Says in a data directory of which backup it was made.
MARK = "openstack-runbooks.made-of"

# Whatever else was made beside the data directory is of a backup that nobody restores any more. A unit of an earlier attempt, whose
# end nobody has read, would be taken for this one's.
_BEGIN = """
systemctl stop "openstack-runbooks-$4-*.service"
systemctl reset-failed "openstack-runbooks-$4-*.service" 2>/dev/null || :
for left in "$1"-new-*; do
  [ ! -e "$left" ] || [ "$left" = "$2" ] || rm -rf --one-file-system -- "$left"
done
rm -rf --one-file-system -- "$3"
install -d -m 700 "$3"
"""
_MAKE_EMPTY = """
install -d -m 755 -o "$2" -g "$2" "$1"
[ -z "$3" ] || chcon "$3" "$1"
"""

# The position: a physical copy has it in a file of its own, else a node of Galera has left it. What only the servers that made the
# data have needed goes.
_FINISH = """
work=$1 path=$2 mark=$3 key=$4 owner=$5 label=$6
cd "$work/data" || exit
position=
[ ! -e grastate.dat ] || position=$(sed -n 's/^uuid: *//p' grastate.dat):$(sed -n 's/^seqno: *//p' grastate.dat)
for file in xtrabackup_galera_info mariadb_backup_galera_info; do
  [ ! -s "$file" ] || position=$(cut -d ' ' -f 1 "$file")
done
case $position in
  ????????-????-????-????-????????????:[0-9]*) ;;
  *) echo "the new data has no position in Galera's history: ${position}"; exit 17 ;;
esac
rm -f ./*.sock ./*.pid openstack-runbooks.log gvwstate.dat galera.cache grastate.dat
printf '# GALERA saved state\\nversion: 2.1\\nuuid:    %s\\nseqno:   %s\\nsafe_to_bootstrap: 0\\n' \\
  "${position%%:*}" "${position##*:}" >grastate.dat
printf '%s\\n' "$key" >"$mark"
chown -R "$owner:$owner" .
[ -z "$label" ] || chcon -R "$label" .
sync -f .
mv -T "$work/data" "$path"
sync -f "$path"
rm -rf --one-file-system -- "$work"
"""

_PACK = """
cd "$1" || exit
shift
tar --numeric-owner -cf - . | "$@"
"""
_UNPACK = """
work=$1 owner=$2 label=$3
shift 3
rm -rf --one-file-system -- "$work"
install -d -m 700 "$work"
install -d -m 755 -o "$owner" -g "$owner" "$work/data"
[ -z "$label" ] || chcon "$label" "$work/data"
"$@" | tar --numeric-owner -xpf - -C "$work/data"
"""
# A copy counts once it has come to its end, which its own host does not know.
_TAKE = """
work=$1 path=$2
sync -f "$work"
mv -T "$work/data" "$path"
sync -f "$path"
rm -rf --one-file-system -- "$work"
"""

# The old data is kept already: whatever else lies there was built by a restore that was ended.
_PUT_IN_PLACE = f"""
{DISCARD}
[ -d "$4" ] || {{ echo "the new data is not in $4"; exit 17; }}
[ ! -d "$1" ] || rmdir "$1"
mv -T "$4" "$1"
sync -f "$1"
"""
_HOLDS = '[ "$(cat "$1" 2>/dev/null)" = "$2" ]'


@dataclass(frozen=True)
class NewDirectory:
    """Where new data is made, for one backup.

    Attributes:
        directory: The data directory in use.
        key: What tells the backup from others, in a word.
        owner: Numeric user and group.
    """

    directory: str
    key: str
    owner: int

    @property
    def path(self) -> str:
        """Where the new data lies once it is whole."""
        return f"{self.directory}-new-{self.key}"

    @property
    def work(self) -> str:
        """Where it is made."""
        return f"{self.path}.part"

    @property
    def data(self) -> str:
        """The data directory while it is made."""
        return f"{self.work}/data"

    def find(self, shell: Shell, old_data: str = "") -> str:
        """Find the new data of this backup, where it is whole: beside the data directory, or in its place already.

        Args:
            shell: The host.
            old_data: Where the data goes that it replaces. Only where that was moved aside already, can the new data be in its
                place: else what lies there is an earlier restore's, and clients have used it since.

        Returns:
            Its path; empty where there is none.
        """
        if self._holds(shell, self.path):
            return self.path
        return self.directory if old_data and self.is_in_place(shell, old_data) else ""

    def is_in_place(self, shell: Shell, old_data: str) -> bool:
        """Whether the new data has replaced the old, which is kept."""
        return exists(shell, old_data) and self._holds(shell, self.directory)

    def _holds(self, shell: Shell, path: str) -> bool:
        asked = script(_HOLDS, f"{path}/{MARK}", self.key, quiet=True, changes=False, ok=(0, 1))
        return shell.run(asked).exit_code == 0

    def begin(self, runbook: str) -> Change:
        """Make an empty directory to work in; removes what was made of other backups, and what was not finished.

        Args:
            runbook: The runbook's name: units of earlier attempts bear it.
        """
        words = (self.directory, self.path, self.work, runbook)
        return Change((script(_BEGIN, *words, timeout_s=600, says=f"make {self.work}"),))

    def make_empty(self, labelled: bool) -> Command:
        """Make an empty data directory, for a server that makes its tables itself.

        Args:
            labelled: Whether the host labels files for SELinux; what is made in the directory gets its label.
        """
        return script(_MAKE_EMPTY, self.data, str(self.owner), LABEL if labelled else "")

    def finish(self, labelled: bool) -> Change:
        """Give what was made Galera's position, its owner and its name.

        Args:
            labelled: Whether the host labels files for SELinux: a container that made them may have given them its own label.
        """
        words = (self.work, self.path, MARK, self.key, str(self.owner), LABEL if labelled else "")
        return Change(
            (script(_FINISH, *words, timeout_s=900, says=f"name the new data {self.path}"),),
            already=lambda shell: self._holds(shell, self.path),
        )

    def copy(self, source: Shell, path: str, stream: Stream, labelled: bool, within_s: float) -> Change:
        """Copy the new data from another host to this one, through this process.

        Args:
            source: The host that has it.
            path: Where it has it.
            stream: How it travels.
            labelled: Whether this host labels files for SELinux.
            within_s: Seconds until it is ended.
        """
        pack = script(_PACK, path, *stream.pack, timeout_s=within_s, quiet=True, changes=False)
        label = LABEL if labelled else ""
        words = (self.work, str(self.owner), label, *stream.unpack)
        unpack = script(_UNPACK, *words, timeout_s=within_s, quiet=True, says=f"receive {self.data}")

        def do(shell: Shell, watch: Watch) -> Performed:
            relay(source, pack, shell, unpack, stream.bytes_per_s, _percents(stream.expected_bytes, watch))
            return "done"

        take = script(_TAKE, self.work, self.path, timeout_s=900, says=f"name the copy {self.path}")
        return Change(
            (Call(f"copy {path} of {source.name} to {self.data}", do), take),
            already=lambda shell: self._holds(shell, self.path),
        )

    def put_in_place(self, old_data: str, runbook: str) -> Change:
        """Let the new data take the place of the old.

        Args:
            old_data: Where the old data was moved to; nothing is discarded unless it is there.
            runbook: Its name: units of earlier attempts bear it.
        """
        words = (self.directory, old_data, runbook, self.path)
        return Change(
            (script(_PUT_IN_PLACE, *words, timeout_s=600, says=f"let {self.path} become {self.directory}"),),
            already=lambda shell: self.is_in_place(shell, old_data),
        )

    @property
    def remove_words(self) -> tuple[str, ...]:
        """The words that remove what was not finished."""
        return ("rm", "-rf", "--one-file-system", "--", self.work)


@dataclass(frozen=True)
class Stream:
    """How data travels from one host to others.

    Attributes:
        pack: Compresses it: standard input to standard output.
        unpack: Unpacks it again.
        expected_bytes: About how much will travel.
        bytes_per_s: Most that is sent in a second; None: as much as goes through.
    """

    pack: tuple[str, ...]
    unpack: tuple[str, ...]
    expected_bytes: int
    bytes_per_s: int | None = None


def _percents(expected_bytes: int, watch: Watch) -> Callable[[int], None]:
    return lambda passed: watch.progress(min(99, 100 * passed / max(1, expected_bytes)))
