"""Looking at a dump before anything is stopped: where it lies, both its ends, and all that is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blocks.remote.command import script
from blocks.remote.shell import Shell
from tasks.database import dumps
from tasks.database.dump_checks import check_dump_contents, check_dump_ends
from tasks.database.dump_contents import Contents, parse_contents
from tasks.database.dump_reading import read_dump
from tasks.database.dumps import File
from tasks.database.mariadb import Version
from tasks.engine.checks import Check

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
        container: The database's on the host that loads them; empty where there is none.
        version: Its server's; None where that is not known, which is a reason of its own.
        directory: The data directory.
        saves: Directories beside it that keep data.
    """

    container: str
    version: Version | None
    directory: str
    saves: Sequence[str] = ()


def look_at_dump(
    shell: Shell, dump: File, loader: Loader, readable: bool, has_grants: bool = True
) -> tuple[list[Check], Contents | None]:
    """Look at a dump, and read it where nothing speaks against it.

    Args:
        shell: The host on which it lies.
        dump: Both its ends.
        loader: What will load it.
        readable: Whether it may be read: not where nobody could load it anyway.
        has_grants: Whether the accounts come from a file of their own.

    Returns:
        What was looked at; and what is in it, None where it was not read.

    Raises:
        HostError: The host does not let it be read to its end.
    """
    checks = [check_place(shell, dump, "dump", loader), *check_dump_ends(shell.name, dump, loader.version)]
    if not readable or not all(check.ok for check in checks):
        return checks, None
    found = parse_contents(read_dump(shell, dump.path))
    knows = not found.sandbox or not loader.container or knows_sandbox(shell, loader.container)
    return [*checks, *check_dump_contents(shell.name, dump, found, loader.version, knows, has_grants)], found


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
