"""Copying a schema from one server into another on the same host, under another name, and putting it in place there.

The server that it is copied into is a node of a Galera cluster that serves, so nothing is done that the others would wait for:

- rows are committed statement by statement, of about a MiB each (mysqldump's own bound), so that no write set is large;
- all tables change places in one RENAME TABLE, the old ones first, so that foreign keys follow theirs. A trigger forbids that
  (ERROR 1435), and a view can't be renamed into another schema: both are taken off first, and made anew by their definitions;
- a table of our own moves with the others, last: where it is says for ever on which side of the RENAME the schemas are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blocks.remote.units import LongCommand
from tasks.database.mariadb import Server
from tasks.database.schema_scripts import COPY, DEFINE, DROP, SWITCH

# A schema's name must be quoted nowhere, and its longest successor have room in MariaDB's 64 characters.
NAME_PATTERN = "^[0-9A-Za-z_$-]{1,64}$"
LONGEST_NAME = 64


@dataclass(frozen=True)
class MovedSchema:
    """A schema that is copied and put in place.

    Attributes:
        name: Its name; as `NAME_PATTERN` has it, so that it needs no quoting.
        stamp: When the run began, as part of names.
        defaults: Its default character set and collation, as SQL has them.
        views: Its views, of which no table is copied.
        folder: Where, on the host, definitions are left. They may hold secrets: it is root's alone.
    """

    name: str
    stamp: str
    defaults: str
    views: tuple[str, ...]
    folder: str

    @property
    def new(self) -> str:
        """Its name until it is put in place."""
        return f"{self.name}_new_{self.stamp}"

    @property
    def kept(self) -> str:
        """The schema that keeps what was there."""
        return f"{self.name}_kept_{self.stamp}"

    @property
    def old_definitions(self) -> str:
        """File with the views, triggers, routines and events of what was there."""
        return f"{self.folder}/{self.kept}.sql"

    @property
    def definitions(self) -> str:
        """File with those of the backup."""
        return f"{self.folder}/{self.new}.sql"

    def copy(self, source: Server, target: Server, within_s: float) -> LongCommand:
        """Copy its tables and sequences under its new name, from server to server; begun again, it begins anew.

        Args:
            source: A server to throw away, whose root has no password.
            target: The node of the cluster.
            within_s: Seconds until it is ended.
        """
        ignored = tuple(f"--ignore-table={self.name}.{view}" for view in self.views)
        where = (source.container, source.socket, target.container, target.client_options, target.socket)
        words = ("bash", "-c", COPY, "copy", *where, self.name, self.new, self.defaults, *ignored)
        return LongCommand(f"{target.runbook}-copy", words, within_s, says=f"copy {self.name} into {self.new}")

    def write_definitions(self, source: Server, within_s: float) -> LongCommand:
        """Write down what the backup defines beside tables.

        Args:
            source: The server to throw away.
            within_s: Seconds until it is ended.
        """
        login = ("--no-defaults", f"--socket={source.socket}", "-uroot")
        words = ("bash", "-c", DEFINE, "define", source.container, self.name, self.definitions, "", *login)
        return LongCommand(f"{source.runbook}-define", words, within_s, says=f"write down how {self.name} is defined")

    def write_old_definitions(self, target: Server, within_s: float) -> LongCommand:
        """Write down what is there beside tables; it is taken off when the tables change places.

        Args:
            target: The node of the cluster.
            within_s: Seconds until it is ended.
        """
        login = (f"--defaults-extra-file={target.client_options}", f"--socket={target.socket}", "-uroot")
        words = ("bash", "-c", DEFINE, "define", target.container, self.name, self.old_definitions, "again", *login)
        return LongCommand(f"{target.runbook}-define", words, within_s, says=f"write down what is in {self.name} now")

    def switch(self, target: Server, within_s: float) -> LongCommand:
        """Put it in place, where that is not done yet, and define all that the backup defines beside tables.

        Args:
            target: The node of the cluster.
            within_s: Seconds until it is ended.
        """
        files = (self.old_definitions, self.definitions, f"{self.folder}/{self.kept}.statements.sql")
        where = (target.container, target.client_options, target.socket)
        words = ("bash", "-c", SWITCH, "switch", *where, self.name, self.new, self.kept, self.defaults, *files)
        return LongCommand(f"{target.runbook}-switch", words, within_s, says=f"put {self.name} in place")


def drop_words(target: Server, schemas: Sequence[str]) -> tuple[str, ...]:
    """The words that drop schemas which are not in place, whether they are there or not.

    Args:
        target: A node of the cluster.
        schemas: Their names.
    """
    where = (target.container, target.client_options, target.socket)
    return ("bash", "-o", "errexit", "-c", DROP, "drop", *where, *schemas)
