"""A MariaDB of this machine's package, as a process of ours: data and socket in a directory, no network."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from blocks.remote.command import Command
from blocks.remote.shell import Result
from tasks.database.contents_sql import OWN_ACCOUNTS, SYSTEM_SCHEMAS
from tasks.database.mariadb import Server
from tests.unit.fakes import FakeShell

# Without a service, which mariadb-server would start.
PACKAGES = ("mariadb-server-core", "mariadb-client", "mariadb-backup", "zstd")
_WITHIN_S = 60
# Of `podman exec`, all that is left where the container is this machine: a session of its own.
_PODMAN = """#!/bin/bash
if [ "$1" = run ]; then
  while [ "$1" != bash ]; do shift; done
  exec "$@"
fi
shift
[ "$1" != -i ] || shift
shift
exec setsid --wait "$@"
"""


class LocalShell(FakeShell):
    """Runs a command for a container on this machine.

    Args:
        programs: A directory whose programs come first.
    """

    def __init__(self, programs: Path) -> None:
        super().__init__("this-machine")
        self.programs = programs
        programs.mkdir(parents=True, exist_ok=True)
        podman = programs / "podman"
        podman.write_text(_PODMAN)
        podman.chmod(0o755)

    def _reply(self, command: Command) -> Result:
        done = self.call(command.words, (command.stdin or "").encode())
        return Result(done.stdout.decode(), done.stderr.decode(errors="replace"), done.returncode)

    def call(self, words: Sequence[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Runs words."""
        return subprocess.run(words, input=stdin, capture_output=True, env=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """The tests' own with the programs first."""
        return {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}", "LC_ALL": "C"}


class LocalServer:
    """One server.

    Args:
        directory: What is made for it.
    """

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.options = directory / "my.cnf"
        directory.mkdir(parents=True)
        self.options.write_text("[client]\n")
        self.shell = LocalShell(directory / "bin")
        self.server = Server("here", str(self.data), str(self.options), "backup-control-plane")
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Makes the system tables."""
        words = ("mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--user=root", "--skip-test-db")
        subprocess.run([*words, "--auth-root-authentication-method=normal"], check=True, capture_output=True)

    def start(self, *options: str) -> None:
        """Starts it, and waits until it answers."""
        words = ["mariadbd", "--no-defaults", f"--datadir={self.data}", f"--socket={self.server.socket}", "--user=root"]
        words += ["--skip-networking", f"--pid-file={self.data}/pid", f"--log-error={self.data}/log", *options]
        # Nothing in them is worth a wait for the disk.
        words += ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=128M", "--max-allowed-packet=64M"]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _WITHIN_S
        while self.server.answers(self.shell) != "answering":
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError((self.data / "log").read_text()[-2000:])
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_WITHIN_S)
            self._process = None

    def sql(self, text: str, schema: str = "") -> str:
        """Runs SQL, to the first error.

        Raises:
            AssertionError: There was one.
        """
        done = self.try_sql(text.encode(), schema)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def try_sql(self, text: bytes, schema: str = "") -> subprocess.CompletedProcess[bytes]:
        """Runs SQL, and says how it ended."""
        words = ("--batch", "--skip-column-names", "--default-character-set=utf8mb4", "--max-allowed-packet=1G")
        return self.shell.call(self.server.client(*words, *((schema,) if schema else ())), text)

    def empty(self) -> None:
        """Drops all schemas and accounts but the server's own."""
        drops = f"""
            SELECT CONCAT('DROP DATABASE `', REPLACE(schema_name, '`', '``'), '`;') FROM information_schema.schemata
              WHERE schema_name NOT IN {SYSTEM_SCHEMAS};
            SELECT CONCAT('DROP ', IF(is_role = 'Y', CONCAT('ROLE `', user, '`'),
                CONCAT('USER ', QUOTE(user), '@', QUOTE(host))), ';')
              FROM mysql.user WHERE user NOT IN {OWN_ACCOUNTS};"""  # noqa: S608 - names of our own
        # Foreign keys lead from schema to schema.
        self.sql(f"SET foreign_key_checks = 0;\n{self.sql(drops)}")
