"""A MariaDB in throw-away containers on a host's own data directory: it is made there, loaded, and given root's password.

Its image is the one that the service's container uses, so that what it leaves is what the service knows. It has no network, only
the socket, and no option file: the image's own may name a cluster. Each container is removed when it ends; where the host's
power was cut it stays, and is removed before the next begins.
"""

from __future__ import annotations

from dataclasses import dataclass

from blocks.remote.command import Command, question, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from tasks.database.mariadb import Server
from tasks.database.node_status import SYNCED, read_node_status
from tasks.engine.change import Change, Wait
from tasks.node.podman import names, remove

# Nothing is lost by a log that is flushed once a second: what a power cut leaves half done is made anew, and a server that was
# shut down has written all.
_SERVER = """
PATH="$PATH:/usr/libexec:/usr/sbin"
exec "$(type -P mysqld || type -P mariadbd)" --no-defaults --user=mysql "$@"
"""
# The provider lies elsewhere in each distribution; the service's own option file names it by the path in that container.
_GALERA = f"""
for provider in /usr/lib64/galera*/libgalera_smm.so /usr/lib/galera*/libgalera_smm.so; do
  [ ! -e "$provider" ] || set -- "$@" "--wsrep-provider=$provider"
done
{_SERVER}
"""
_REMOVED = "gone"


@dataclass(frozen=True)
class ImportingServer:
    """Where it runs.

    Attributes:
        image: The image's id.
        directory: The data directory, on the host as in the container.
        runbook: The runbook that works on it; part of the names of container and units.
    """

    image: str
    directory: str
    runbook: str

    @property
    def container(self) -> str:
        """The server's container."""
        return f"openstack-runbooks-{self.runbook}"

    @property
    def server(self) -> Server:
        """How it is spoken to: as the passwordless root of a new server, from within."""
        return Server(self.container, self.directory, "/dev/null", self.runbook)

    @property
    def log(self) -> str:
        """The server's log, in the data directory."""
        return f"{self.directory}/openstack-runbooks.log"

    def _run(self, name: str, *options: str) -> tuple[str, ...]:
        """The words that run bash in a container of the image; its script follows."""
        return (
            *("podman", "run", "--rm", f"--name={name}", "--network=none", "--user=root", *options),
            *(f"--volume={self.directory}:{self.directory}", "--entrypoint=/usr/bin/env", self.image, "bash"),
        )

    def discard(self) -> Change:
        """Remove what an earlier attempt has left running on the directory, before the directory is emptied."""
        return Change(tuple(remove(f"{self.container}{of}") for of in ("", "-create", "-copy", "-password")))

    def create(self) -> Change:
        """Make the system tables in the empty directory.

        Without what mysql_install_db makes besides by itself: a schema, and an account for the socket, named after the container.
        """
        beside = ("--auth-root-authentication-method=normal", "--skip-test-db")
        words = ("mysql_install_db", "--no-defaults", f"--datadir={self.directory}", "--user=mysql", *beside)
        name = f"{self.container}-create"
        run = (*self._run(name), "-c", 'exec "$@" >/dev/null', "create", *words)
        return Change((remove(name), LongCommand(f"{self.runbook}-create", run, 900, says="create the system tables")))

    def start(self, within_s: float) -> Change:
        """Start it detached, so that it outlives this run, and wait until it answers.

        Args:
            within_s: Seconds until it must.
        """
        options = (
            *(f"--datadir={self.directory}", f"--socket={self.server.socket}", "--skip-networking"),
            *("--max-allowed-packet=1G", "--event-scheduler=OFF", f"--log-error={self.log}"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=512M"),
        )
        run = (*self._run(self.container, "--detach"), "-c", _SERVER, "server", *options)
        return Change(
            (remove(self.container), Command(run)),
            already=self.runs,
            until=Wait(
                f"MariaDB in {self.container}",
                "answering",
                self.server.answers,
                within_s,
                f"see {self.log} on the host",
            ),
        )

    def restart_with_galera(self, within_s: float) -> Change:
        """Shut it down, and start it as the only node of a Galera cluster, without a network.

        So data that was loaded gets a history with a position, in InnoDB as in `grastate.dat`: nodes that have the same files then
        join by IST. A position in `grastate.dat` alone is none: a joiner takes its own from InnoDB.

        Args:
            within_s: Seconds until it must be Synced.
        """
        options = (
            *(f"--datadir={self.directory}", f"--socket={self.server.socket}", "--skip-networking"),
            *(
                "--event-scheduler=OFF",
                f"--log-error={self.log}",
                "--binlog-format=ROW",
                "--innodb-autoinc-lock-mode=2",
            ),
            *("--wsrep-on=ON", "--wsrep-cluster-address=gcomm://", "--wsrep-node-address=127.0.0.1"),
            "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:4567;gcache.size=8M",
        )
        run = (*self._run(self.container, "--detach"), "-c", _GALERA, "server", *options)
        return Change(
            (*self.stop(within_s).commands, remove(self.container), Command(run)),
            until=Wait(
                f"Galera in {self.container}",
                SYNCED,
                lambda shell: str(read_node_status(shell, self.server)),
                within_s,
                f"see {self.log} on the host",
            ),
        )

    def runs(self, shell: Shell) -> bool:
        """Whether its container runs."""
        return self.container in shell.run(question("podman", "ps", "--format", "{{.Names}}")).stdout.split()

    def stop(self, within_s: float) -> Change:
        """Let it shut down, by signal: root's password may be the dump's by now.

        Args:
            within_s: Seconds until it is killed. That is no end in peace, and fails.
        """

        def look(shell: Shell) -> str:
            return "there" if self.container in names(shell) else _REMOVED

        return Change(
            (script(_STOP, self.container, self.log, str(round(within_s)), timeout_s=within_s + 30),),
            until=Wait(f"container {self.container}", _REMOVED, look, 60),
        )

    def set_root_password(self, sql: str) -> Change:
        """Set root's password, by the server's bootstrap mode: it asks nobody for a password, and ends by itself.

        Args:
            sql: What sets it, on standard input.
        """
        name = f"{self.container}-password"
        run = (*self._run(name, "-i"), "-c", _SERVER, "server", f"--datadir={self.directory}", "--bootstrap")
        said = "SQL: set root's password, drop anonymous accounts"
        return Change((remove(name), Command(run, stdin=sql, stdin_is=said, quiet=True, timeout_s=300)))


# podman's stop returns 0 also where it had to kill. The log says whether the server has come to its end.
_STOP = """
! podman inspect --type=container "$1" >/dev/null 2>&1 || podman container stop --time "$3" "$1"
tail -c 400 "$2" | grep -q 'Shutdown complete' || { echo "MariaDB was ended before it had shut down: see $2"; exit 1; }
"""


def read_image(shell: Shell, container: str) -> str:
    """The id of the image that a container was made of, which the host must have still.

    Raises:
        HostError: It is gone, though the container is there.
    """
    image = shell.run(question("podman", "inspect", "--type=container", "--format", "{{.Image}}", container)).text
    if shell.run(question("podman", "image", "exists", image, ok=(0, 1))).exit_code != 0:
        raise HostError(
            shell.name,
            f"the image of container {container} ({image[:12]}) is not there any more",
            "pull the image with which the container was made",
        )
    return image
