"""What preflight looks at in the dump and the grants: whether they can be loaded, and what would be missing afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blocks.remote.command import script
from blocks.remote.shell import Shell
from tasks.database import dumps
from tasks.database.dump_checks import check_dump_contents, check_dump_ends
from tasks.database.dump_contents import Contents, parse_contents
from tasks.database.dump_parts import Parts, parse_parts
from tasks.database.dump_reading import read_dump
from tasks.database.dumps import File
from tasks.database.grants import Grants, check_grants_file, read_grants
from tasks.database.inventory import read_inventory
from tasks.database.mariadb import Server, Version
from tasks.database.statement_reader import CutShort, NotUnderstood
from tasks.engine.checks import Check
from tasks.runbooks.restore_galera.losses import Loss, losses_against_inventory, losses_within_files

# A client that knows the line has the option, whatever its version: security fixes of older releases have it, too.
_KNOWS_SANDBOX = """
help='mysql --no-defaults --help | grep -q -- --sandbox && echo known || echo unknown'
if [ "$(podman inspect --format "{{.State.Status}}" "$1")" = running ]; then podman exec "$1" bash -c "$help"
else podman run --rm --network none --entrypoint bash "$(podman inspect --format "{{.Image}}" "$1")" -c "$help"; fi
"""


@dataclass(frozen=True)
class Loader:
    """What will load the files, and what goes before they are loaded.

    Attributes:
        container: Galera's on the first host; empty where there is none.
        version: Its server's; None where that is not known, which is a reason of its own.
        directory: The data directory.
        saves: Directories beside it that keep data.
    """

    container: str
    version: Version | None
    directory: str
    saves: Sequence[str] = ()


@dataclass(frozen=True)
class Files:
    """What was read of a dump and of its grants.

    Attributes:
        checks: What was looked at.
        contents: What is in the dump; None where it was not read.
        parts: What of the dump is loaded side by side.
        grants: What the grants hold; None where they can't be read.
    """

    checks: tuple[Check, ...] = ()
    contents: Contents | None = None
    parts: Parts | None = None
    grants: Grants | None = None


def look_at_files(shell: Shell, dump: File, grants: File | None, loader: Loader, readable: bool) -> Files:
    """Look at the dump and the grants.

    Args:
        shell: The first host.
        dump: Both ends of the dump.
        grants: Both ends of the grants.
        loader: What will load them.
        readable: Whether the dump may be read: not where nobody could load it anyway.

    Raises:
        HostError: The host does not let the dump be read to its end.
    """
    checks = [check_place(shell, dump, "dump", loader), *check_dump_ends(shell.name, dump, loader.version)]
    found: Contents | None = None
    if readable and all(check.ok for check in checks):
        found = parse_contents(read_dump(shell, dump.path))
        knows = not found.sandbox or not loader.container or knows_sandbox(shell, loader.container)
        checks += check_dump_contents(shell.name, dump, found, loader.version, knows)
    granted: Grants | None = None
    if grants is not None:
        granted, check = look_at_grants(shell, grants)
        checks += [check_place(shell, grants, "grants", loader), check]
    return Files(tuple(checks), found, parse_parts(dump, found) if found else None, granted)


def check_place(shell: Shell, file: File, what: str, loader: Loader) -> Check:
    """Look whether a file lies in what is moved aside or removed before it is loaded."""
    found = dumps.lies_in(shell, file.path, loader.directory, *loader.saves) if file.size >= 0 else ""
    if not found:
        return Check(f"place of the {what}", shell.name, f"outside of {loader.directory}")
    return Check(
        f"place of the {what}",
        shell.name,
        f"in {found}",
        f"{what} {file.path}: its place is in {found}, which is moved aside or removed before it is loaded",
        "copy it elsewhere, as to /home/heat-admin, and give the copy",
    )


def knows_sandbox(shell: Shell, container: str) -> bool:
    """Whether the container's client knows the sandbox mode of newer dumps."""
    return shell.run(script(_KNOWS_SANDBOX, container, quiet=True, changes=False)).text != "unknown"


def look_at_grants(shell: Shell, file: File) -> tuple[Grants | None, Check]:
    """Look at the grants, and read them where nothing speaks against it."""
    check = check_grants_file(shell.name, file)
    if not check.ok:
        return None, check
    try:
        return read_grants(shell, file.path), Check("grants", shell.name, f"{file.path} are whole")
    except CutShort as cut:
        hint = "take them again, and see that each statement has its semicolon"
        return None, Check("grants", shell.name, "", f"grants {file.path} are cut short: {cut}", hint)
    except NotUnderstood as strange:
        return None, Check("grants", shell.name, "", f"grants {file.path}: {strange}")


def find_losses(there: Iterable[tuple[Shell, Server]], files: Files, untouched: bool) -> list[Loss]:
    """What will be missing after the restore, as far as anybody can say.

    Args:
        there: The databases that may answer, with the data that is replaced.
        files: What was read of the dump and the grants.
        untouched: Whether that data is still in its place.
    """
    if files.contents is None or files.grants is None:
        return []
    found = list(losses_within_files(files.contents, files.grants))
    if not untouched:
        return found
    read = (read_inventory(shell, server) for shell, server in there)
    inventory = next((inventory for inventory in read if inventory is not None), None)
    if inventory is None:
        return [*found, Loss("no database answers, so that nobody can say what the dump lacks of it")]
    whose = f"of what {inventory.host}'s database has"
    return [
        *found,
        *(
            Loss(f"{loss.what} {whose}", loss.names)
            for loss in losses_against_inventory(inventory, files.contents, files.grants)
        ),
    ]
