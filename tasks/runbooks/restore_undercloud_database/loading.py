"""Steps 8 and 10.1: what is restored is brought to where it is needed, and becomes the data of the database.

A dump of the whole server, as section 1.5 makes it, has the accounts itself. A backup's dump has its grants beside it, without
root's. A physical copy is prepared, and takes the place of what steps 7 to 10.2 would make.
"""

from __future__ import annotations

from blocks.remote.command import command, script
from tasks.database import dumps, importing
from tasks.database.data_directory import LABEL
from tasks.database.importing_server import ImportingServer
from tasks.engine.change import Change
from tasks.runbooks.stored_database.database import StoredDatabase

# Beside the copy of a dump, in the data directory, which nothing but the container of the importing server sees.
_FOLDER = "openstack-runbooks-backup"
# The data directory may be a mount point, which can't be replaced: what is in the copy moves there. A container has prepared it,
# and may have given it a label of its own.
_TAKE = """
cd "$1" || exit
chown -R "$3:$3" .
[ -z "$4" ] || chcon -R "$4" .
for file in * .[!.]*; do
  [ ! -e "$file" ] || mv -T -- "$file" "$2/$file"
done
sync -f "$2"
"""


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
        backup: The backup, of which a dump is loaded; None for a dump of the host's own.
        key: What tells the dump from another one.
        within_s: Seconds for each file.
    """
    if backup is None:
        return importing.import_dump(server.server, None, within_s, key)
    return Change(backup.load(server.server, f"{server.directory}/{_FOLDER}", within_s))


def put_in_place(server: ImportingServer, backup: StoredDatabase, owner: int, labelled: bool, within_s: int) -> Change:
    """Prepare the physical copy that was brought, and let the data directory have it.

    Args:
        server: Whose image prepares it, for whose directory.
        backup: The backup.
        owner: Numeric user and group of its files.
        labelled: Whether the host labels files for SELinux.
        within_s: Seconds until preparing it is ended.
    """
    folder, directory = f"{server.directory}/{_FOLDER}", server.directory
    prepare = backup.prepare(server.image, f"{folder}/data", folder, server.runbook, within_s)
    words = (f"{folder}/data", directory, str(owner), LABEL if labelled else "")
    return Change((*prepare, script(_TAKE, *words, timeout_s=900, says=f"move what was prepared to {directory}")))
