"""A MariaDB to throw away: of a given image, on an empty directory, without a network, for one drill.

A backup is proven by it: the dump and its grants are loaded as they are, and what is then in the server is compared with what
was in the one that was backed up (`tasks.database.contents_comparison`).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from blocks.remote.command import command, question
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from tasks.database.mariadb import Server
from tasks.engine.change import Change, Wait
from tasks.node.podman import podman_exec, podman_exec_stdin

_ANSWERING = "answering"
_DATA = "/var/lib/mysql"
_LOG = f"{_DATA}/drill.log"
# No option file: the image's own may name a cluster, and a password in root's would be wrong. Events must not run in a copy
# (OFF is the default; an event that a dump creates stays as it is). Settings of durability are MariaDB's own, so that the time
# that loading takes says something of a real restore's. What mysql_install_db makes beside the system tables by itself, a
# schema and an account for its socket, would differ from what was backed up.
_START = f"""
set -o errexit
chown mysql:mysql {_DATA}
mysql_install_db --no-defaults --datadir={_DATA} --user=mysql \\
  --auth-root-authentication-method=normal --skip-test-db >/dev/null
exec mysqld_safe --no-defaults --datadir={_DATA} --socket={_DATA}/mysql.sock --user=mysql --skip-networking \\
  --event-scheduler=OFF --max-allowed-packet=1G --log-error={_LOG} "$@"
"""
# Both must bear being run where nothing is left; what can't be removed is an error.
_REMOVE = """
podman rm --force "$1" >/dev/null 2>&1 || :
! podman inspect --type=container "$1" >/dev/null 2>&1 || { echo "container $1 could not be removed" >&2; exit 1; }
rm -rf -- "$2"
"""


@dataclass(frozen=True)
class ThrowawayServer:
    """Where it runs.

    Attributes:
        image: The image of the server that was backed up, by its id.
        directory: A directory on the host that is not there yet; it is removed with the server.
        run: The run whose drill this is; it is part of the container's name.
        buffer_pool_bytes: MariaDB's `innodb_buffer_pool_size`: more loads faster, and is missing to the host meanwhile.
    """

    image: str
    directory: str
    run: str
    buffer_pool_bytes: int = 512 * 1024**2

    @property
    def container(self) -> str:
        """The container's name."""
        return f"openstack-runbooks-drill-{self.run}"

    @property
    def server(self) -> Server:
        """How it is spoken to: as the passwordless root of a new server."""
        return Server(self.container, _DATA, "/dev/null", "verify-backup")

    def start(self, within_s: float) -> Change:
        """Create it on an empty directory, and wait until it answers.

        Args:
            within_s: Seconds until it must; creating the system tables takes most of them.
        """
        # Its own label (Z): with SELinux no container may see a directory of the host as it is.
        run = (
            *("podman", "run", "--detach", "--rm", "--network=none", f"--name={self.container}", "--user=root"),
            *("--entrypoint=/usr/bin/env", f"--volume={self.directory}:{_DATA}:Z", self.image),
            *("bash", "-c", _START, "drill", f"--innodb-buffer-pool-size={self.buffer_pool_bytes}"),
        )
        return Change(
            (
                # Where a run was killed in the middle of this, it begins anew: what was made holds nothing of worth.
                command(*self.remove_words),
                command("install", "-d", "-m", "700", self.directory),
                command(*run, timeout_s=within_s),
            ),
            already=lambda shell: self._answers(shell) == _ANSWERING,
            until=Wait(
                f"MariaDB in {self.container}",
                _ANSWERING,
                self._answers,
                within_s,
                f"see {self.directory}/drill.log on the host, and `podman logs {self.container}`",
            ),
        )

    def _answers(self, shell: Shell) -> str:
        """`answering`, `silent`, or where podman can't enter it (125 and more) `not there`: it goes with its first process."""
        ping = ("mysqladmin", "--no-defaults", f"--socket={self.server.socket}", "--connect-timeout=5", "ping")
        code = shell.run(question(*podman_exec(self.container, *ping), ok=tuple(range(256)))).exit_code
        return _ANSWERING if code == 0 else "not there" if code > 124 else "silent"

    def load(self, source: str, key: str, within_s: float) -> LongCommand:
        """Load a dump or its grants, to the first error (there is no --force).

        Args:
            source: The pipeline, for a bash with `-o pipefail`, that writes the SQL to standard output. No secret.
            key: What is loaded, in a word: `dump`, `grants`.
            within_s: Seconds until it is ended.
        """
        words = ("--default-character-set=utf8mb4", "--max-allowed-packet=1G")
        client = podman_exec_stdin(
            self.container, "mysql", "--no-defaults", f"--socket={self.server.socket}", "-uroot", *words
        )
        text = f"{{ {source}; }} | {shlex.join(client)}"
        # Ending podman exec does not end the client, but its standard input ends with the pipeline.
        return LongCommand(
            f"verify-backup-{key}",
            ("bash", "-o", "pipefail", "-c", text),
            within_s,
            says=f"load the {key} of the backup",
        )

    @property
    def remove_words(self) -> tuple[str, ...]:
        """The words that remove container and directory, for the runbook's cleanup; they bear being run twice."""
        return ("bash", "-o", "errexit", "-c", _REMOVE, "remove", self.container, self.directory)


def read_image(shell: Shell, container: str) -> str:
    """The id of the image of which a container was made, whatever the image's name stands for by now."""
    return shell.run(question("podman", "inspect", "--type=container", "--format", "{{.Image}}", container)).text
