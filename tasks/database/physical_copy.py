"""A physical copy of a server that runs: the files of its data directory, as `mariadb-backup` of its own image streams them.

No document has it. A dump must be loaded statement by statement; the copy is put in place as it is, which is the fast way back. It
needs the program in the image (TripleO's has it), and a user in the container who may read the data.
"""

from __future__ import annotations

import shlex

from blocks.remote.command import question
from blocks.remote.shell import Shell
from tasks.database.dumping import Compressor
from tasks.database.mariadb import Server
from tasks.node.podman import podman_exec

_ANY = tuple(range(256))
# In the container, which has no users but the database.
_FOLDER = "/tmp/openstack-runbooks-copy"  # noqa: S108
_PID = f"{_FOLDER}.pid"
_END = f'p=$(cat {_PID} 2>/dev/null) && rm -f {_PID} && kill -TERM -- "-$p"'

# Until 10.4 it is called mariabackup alone.
_FIND = """
program=$(command -v mariadb-backup || command -v mariabackup) || { echo "mariadb-backup is not in the image"; exit; }
[ -r "$1/ibdata1" ] || { echo "the container's user may not read $1"; exit; }
echo "$program"
"""

# What is in a container may have been put there by hand; what prepares the copy is a container of the image.
_IN_IMAGE = """
{ command -v mariadb-backup || command -v mariabackup; } && command -v mbstream >/dev/null || echo missing
"""

# What it writes into its folder is its own: the copy goes to standard output. Its last word says whether that is whole. Ending
# `podman exec` ends nothing in the container, so that what has ended it must find it by its number.
_COPY = f"""
set -o errexit -o nounset -o pipefail
umask 077
program=$1
shift
rm -rf {_FOLDER}
echo $$ >{_PID}
ended() {{ rm -rf {_FOLDER} {_PID}; }}
follow() {{
  local line='' last=''
  while IFS= read -r line; do
    printf '%s\\n' "$line" >&2
    last=$line
  done
  [[ $last == *"completed OK!" ]] || {{ echo "the copy is not whole: its program has not said so" >&2; return 1; }}
}}
exec 3>&1
set +o errexit
"$program" "$@" --target-dir={_FOLDER} 2>&1 >&3 | follow
codes=("${{PIPESTATUS[@]}}")
ended
exit $((codes[0] ? codes[0] : codes[1]))
"""


def find_program(shell: Shell, server: Server, image: str) -> tuple[str, str]:
    """Find the program that copies a server.

    Args:
        shell: The server's host.
        server: The server.
        image: The id of its container's image: what restores a copy is a container of it, which is started once to see that it can.

    Returns:
        Its path in the container, or nothing; then why there is none that can be used.
    """
    words = podman_exec(server.container, "bash", "-c", _FIND, "find", server.directory)
    answer = shell.run(question(*words, ok=_ANY)).text
    if not answer.startswith("/"):
        return "", answer or "the container does not answer"
    run = ("podman", "run", "--rm", "--network=none", "--entrypoint=/usr/bin/env", image, "bash", "-c", _IN_IMAGE)
    in_image = shell.run(question(*run, ok=_ANY)).text
    if not in_image.startswith("/"):
        return "", "mariadb-backup is in the container and not in its image, in which a copy is restored"
    return answer, ""


def copy_words(server: Server, program: str, galera: bool) -> tuple[str, ...]:
    """The words that write a copy to standard output, in MariaDB's own format (`mbstream` unpacks it).

    Args:
        server: A server that runs; of a Galera cluster a node that is desynced, since the end of the copy holds writers off.
        program: What copies it.
        galera: Whether the position of the cluster is put into the copy.
    """
    position = ("--galera-info",) if galera else ()
    options = (f"--defaults-extra-file={server.client_options}", "--backup", "--stream=mbstream", "--user=root")
    where = (f"--socket={server.socket}", f"--datadir={server.directory}")
    return podman_exec(server.container, "bash", "-c", _COPY, "copy", program, *options, *where, *position)


def end_copy_words(server: Server) -> tuple[str, ...]:
    """The words that end a copy in the container; with none at work they fail."""
    return podman_exec(server.container, "bash", "-c", _END)


def copy_pipeline(compressor: Compressor) -> str:
    """The pipeline, for a bash with `-o pipefail`, that writes a compressed copy to standard output.

    What writes the copy, as `copy_words` gives it, are its arguments. Unlike a dump it reads the disk itself: let `ionice` go
    before it, which a container's processes inherit.
    """
    return f'"$@" | {shlex.join(compressor.words)}'
