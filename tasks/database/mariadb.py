"""MariaDB in its container: creating, starting, asking, stopping."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from blocks.remote.command import Command, command, question, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from tasks.engine.change import Change, Wait
from tasks.node.podman import podman_exec, podman_exec_detached, podman_exec_stdin
from tasks.node.versions import ASK_SERVER

_SERVER_PROCESSES = "{ grep -lxE 'mysqld|mariadbd' /proc/[0-9]*/comm 2>/dev/null || :; }"
_RUNNING, _STOPPED = "running", "stopped"
# The same from the host, where asking costs half of what entering the container does. A container that does not run has no
# process, and its number is 0. 1 is pgrep's word for "none".
_FIND_PROCESS = """
init=$(podman inspect --type=container --format '{{.State.Pid}}' "$1")
[ "$init" = 0 ] || pgrep --ns "$init" --nslist pid --exact 'mysqld|mariadbd' || [ $? = 1 ]
"""

# Prints the last answer, whether all lines are in it or not. A failing client is one that must be asked again.
_STATEMENT_UNTIL = """
left=$(($1 * 4)) lines=$2; shift 2
incomplete() { while IFS= read -r line; do grep -qxF -- "$line" <<<"$answer" || return 0; done <<<"$lines"; return 1; }
while answer=$("$@" 2>/dev/null); incomplete && ((left-- > 0)); do sleep 0.25; done
printf '%s\\n' "$answer"
"""


@dataclass(frozen=True, order=True)
class Version:
    """A MariaDB version, of which the series counts: 10.3, 10.11."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def parse_version(text: str) -> Version | None:
    """Find the version in `mysqld --version`, in a server's @@version, or in the head of a dump.

    MariaDB Enterprise has a number of its own behind it: 10.3.28-12-MariaDB-enterprise.
    """
    found = re.search(r"(?<![\d.])(\d{1,2})\.(\d{1,2})\.\d+(?:-\d+)?-MariaDB", text)
    return Version(int(found[1]), int(found[2])) if found else None


def read_version(shell: Shell, container: str) -> Version:
    """Ask the container's server program, also where the container does not run.

    Raises:
        HostError: It gives no version.
    """
    text = shell.run(script(ASK_SERVER, container, quiet=True, changes=False)).stdout
    version = parse_version(text)
    if version is None:
        raise HostError(shell.name, f"the server in {container} does not say its version: {text.strip()[:200]!r}")
    return version


@dataclass(frozen=True)
class Server:
    """The MariaDB of one host: where it is and how it is spoken to.

    Attributes:
        container: The container's name.
        directory: The data directory, in the container as on the host.
        client_options: The root client's option file in the container; it holds the password.
        runbook: The runbook that works on it: long commands' units are named after it, so that its hooks find them.
    """

    container: str
    directory: str
    client_options: str
    runbook: str

    @property
    def socket(self) -> str:
        """The server's socket."""
        return f"{self.directory}/mysql.sock"

    def client(self, *words: str, options: str | None = None) -> tuple[str, ...]:
        """The words of a client that logs in as root through the socket, reading SQL from standard input."""
        defaults = f"--defaults-extra-file={options or self.client_options}"
        return podman_exec_stdin(self.container, "mysql", defaults, f"--socket={self.socket}", "-uroot", *words)

    def statement(self, sql: str, options: str | None = None, timeout_s: float = 60) -> Command:
        """A question in SQL; the answer has a row a line, columns separated by tabs, no heading."""
        words = self.client("--batch", "--skip-column-names", options=options)
        return Command(words, stdin=sql, stdin_is="SQL", quiet=True, timeout_s=timeout_s, changes=False)

    def statement_until(self, sql: str, lines: Sequence[str], seconds: int) -> Command:
        """The same question, asked four times a second within the container until the answer will do.

        Entering a container costs some twenty times what the question does, and what is waited for on that host (a copy of
        the whole database) wants its processors.

        Args:
            sql: The question; shown to everybody on the host.
            lines: What must be among the answer's lines.
            seconds: After so many the answer is what it is.
        """
        client = ("mysql", f"--defaults-extra-file={self.client_options}", f"--socket={self.socket}", "-uroot")
        query = (*client, "--batch", "--skip-column-names", "--connect-timeout=5", f"--execute={sql}")
        words = podman_exec(
            self.container, "bash", "-c", _STATEMENT_UNTIL, "again", str(seconds), "\n".join(lines), *query
        )
        return Command(words, timeout_s=seconds + 20, quiet=True)

    # -- looks

    def process(self, shell: Shell) -> str:
        """`running` while there is a server process in the container, else `stopped`."""
        return (
            _RUNNING if shell.run(script(_FIND_PROCESS, self.container, quiet=True, changes=False)).text else _STOPPED
        )

    def answers(self, shell: Shell) -> str:
        """`answering` once the socket does; a refused login is an answer, too."""
        ping = podman_exec(
            self.container, "mysqladmin", "--no-defaults", f"--socket={self.socket}", "--connect-timeout=5", "ping"
        )
        return "answering" if shell.run(question(*ping, ok=(0, 1))).exit_code == 0 else "silent"

    def root_can_log_in(self, shell: Shell, options: str) -> bool:
        """Whether root gets in with the password of this option file."""
        query = self.statement("SELECT 1", options=options)
        return shell.run(replace(query, ok=(0, 1))).exit_code == 0

    # -- changes

    def create(self) -> Change:
        """Make the system tables in the empty data directory; made twice, they are as if made once."""
        words = podman_exec(
            self.container,
            *("mysql_install_db", f"--datadir={self.directory}", "--user=mysql"),
            "--log_error=/var/log/mysql/mysql_init.log",
        )
        return Change((LongCommand(f"{self.runbook}-create", words, 900),))

    def start_standalone(self, within_s: float) -> Change:
        """Start it for the import: no network, no replication."""
        words = ("mysqld_safe", "--skip-networking", "--wsrep-on=OFF", "--log-error=/var/log/mysql/mysql_safe.log")
        return Change(
            (command(*podman_exec_detached(self.container, *words)),),
            already=lambda shell: self.process(shell) == _RUNNING,
            until=Wait("the database", "answering", self.answers, within_s, "see /var/log/mysql/mysql_safe.log"),
        )

    def move_option_file_away(self) -> Change:
        """Move the root client's option file away, so that root logs in without a password."""
        return self._move(self.client_options, self._option_file_backup)

    def restore_option_file(self) -> Change:
        """Move the root client's option file back."""
        return self._move(self._option_file_backup, self.client_options)

    @property
    def _option_file_backup(self) -> str:
        return f"{self.client_options}.bck"

    def _move(self, source: str, target: str) -> Change:
        move = f"[ ! -e {source} ] || mv {source} {target}; [ -e {target} ]"
        return Change((command(*podman_exec(self.container, "bash", "-c", move)),))

    def set_root_password(self, sql: str) -> Change:
        """Run the SQL that sets root's password, as the passwordless root of a new database."""
        words = podman_exec_stdin(self.container, "mysql", "--no-defaults", f"--socket={self.socket}", "-uroot")
        return Change(
            (Command(words, stdin=sql, stdin_is="SQL: set root's password, drop anonymous accounts", quiet=True),),
            already=lambda shell: self.root_can_log_in(shell, self._option_file_backup),
        )

    def reset_root_password(self, sql: str) -> Change:
        """Run the SQL that sets root's password once more, with the password from the option file.

        It works also where the dump has just replaced the accounts: until the first FLUSH the server knows the old ones.
        """
        return Change((Command(self.client(), stdin=sql, stdin_is="SQL: the same as in step 12", quiet=True),))

    def terminate(self, within_s: float) -> Command:
        """Ask every server process to shut down, and wait until none is left; the end of the time is no failure.

        By signal, which asks for no password: the root of a broken cluster may have another one than the option file's.
        """
        loop = f'for _ in $(seq {max(1, round(within_s)) * 5}); do [ -n "$({_SERVER_PROCESSES})" ] || exit 0; sleep 0.2; done'
        text = f'mapfile -t servers < <({_SERVER_PROCESSES} | cut -d/ -f3); kill -TERM "${{servers[@]}}" 2>/dev/null; {loop}'
        return Command(
            podman_exec(self.container, "bash", "-c", text), timeout_s=within_s + 30, ok=tuple(range(256)), quiet=True
        )

    def shut_down(self, within_s: float) -> Change:
        """Shut it down and wait until its process is gone."""
        return Change(
            (self.shutdown_command(within_s),),
            already=lambda shell: self.process(shell) == _STOPPED,
            until=Wait(
                "the database's process", _STOPPED, self.process, within_s, "see its log; it may be writing still"
            ),
        )

    def shutdown_command(self, within_s: float) -> Command:
        """The documented shutdown, through the socket and with the password from the option file."""
        words = ("mysqladmin", f"--defaults-extra-file={self.client_options}", f"--socket={self.socket}", "-uroot")
        return Command(
            podman_exec(self.container, *words, "--connect-timeout=5", "shutdown"), timeout_s=within_s, quiet=True
        )


def root_password_sql(version: Version, password: str) -> str:
    """The SQL of BR 4.4 step 12: root's password for each root account, and no anonymous accounts.

    Until 10.3 as documented. From 10.4 on `mysql.user` is a view, and the documented UPDATE fails with ERROR 1356: the
    table behind it is changed, as MariaDB's own mysql_secure_installation does, since ALTER USER does not see the
    accounts at host names where skip-name-resolve is set.

    Args:
        version: The server's.
        password: Written as a hexadecimal literal: no quoting, and nothing readable in a log.
    """
    literal = f"PASSWORD(CONVERT(X'{password.encode().hex()}' USING utf8))"
    if version >= Version(10, 4):
        account, table = (
            f"priv = JSON_SET(priv, '$.plugin', 'mysql_native_password', '$.authentication_string', {literal})",
            "global_priv",
        )
    else:
        account, table = f"password = {literal}, plugin = ''", "user"
    return (
        f"UPDATE mysql.{table} SET {account} WHERE User = 'root';\n"  # noqa: S608 - a hexadecimal literal
        f"DELETE FROM mysql.{table} WHERE User = '';\n"
        "DELETE FROM mysql.db WHERE User = '';\n"
        "FLUSH PRIVILEGES;\n"
    )
