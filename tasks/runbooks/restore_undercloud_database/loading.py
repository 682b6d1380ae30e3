"""Steps 8 and 10.1: what is restored is brought to where the importing server sees it, and loaded.

A dump of the whole server, as section 1.5 makes it, has the accounts itself. A backup has its grants beside it, without root's.
"""

from __future__ import annotations

from blocks.remote.command import command
from tasks.database import dumps, importing
from tasks.database.importing_server import ImportingServer
from tasks.engine.change import Change
from tasks.runbooks.stored_database.database import StoredDatabase

# Beside the copy of a dump, in the data directory, which nothing but the container of the importing server sees.
_FOLDER = "openstack-runbooks-backup"


def bring(directory: str, dump: str, backup: StoredDatabase | None, within_s: int) -> Change:
    """Copy the dump, or fetch the backup, to the data directory, readable by root alone.

    Args:
        directory: The data directory.
        dump: Path of the dump on the host.
        backup: The backup; None for the dump.
        within_s: Seconds for each file of a backup.
    """
    if backup is None:
        return dumps.copy_in(directory, dump)
    folder = f"{directory}/{_FOLDER}"
    return Change((command("install", "-d", "-m", "700", folder), *backup.fetch(folder, within_s)))


def remove_words(directory: str, backup: StoredDatabase | None) -> tuple[str, ...]:
    """The words that remove what was brought: it holds every row and the password hash of every account."""
    return ("rm", "-rf", "--", f"{directory}/{_FOLDER}") if backup else dumps.remove_words(directory)


def load(server: ImportingServer, backup: StoredDatabase | None, key: str, within_s: int) -> Change:
    """Load what was brought.

    Args:
        server: The server.
        backup: The backup; None for a dump.
        key: What tells the dump from another one.
        within_s: Seconds for each file.
    """
    if backup is None:
        return importing.import_dump(server.server, None, within_s, key)
    return Change(backup.load(server.server, f"{server.directory}/{_FOLDER}", within_s))
