"""What preflight looks at in the dump and the grants: whether they can be loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blocks.remote.shell import Shell
from tasks.database.data_directory import DataDirectory
from tasks.database.directory_checks import check_space, needs_of_dump
from tasks.database.dump_contents import Contents
from tasks.database.dump_look import Loader, check_place, look_at_dump
from tasks.database.dump_parts import Parts, parse_parts
from tasks.database.dumps import File
from tasks.database.grants import Grants, check_grants_file, read_grants
from tasks.database.statement_reader import CutShort, NotUnderstood
from tasks.engine.checks import Check
from tasks.runbooks.restore_galera.source import Source
from tasks.runbooks.restore_galera.state import Contents as Fingerprints


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


def as_source(dump: File | None, grants: File | None, read: Files) -> Source:
    """The documented files, as what is restored.

    Args:
        dump: Both ends of the dump; None where it could not be read, which is a check already.
        grants: The same of the grants.
        read: What was read of both.
    """

    def space(directories: Mapping[str, DataDirectory], again: bool) -> list[Check]:
        return check_space(directories, needs_of_dump(dump), again) if dump else []

    fingerprints = Fingerprints(dump=dump.fingerprint if dump else "", grants=grants.fingerprint if grants else "")
    return Source(fingerprints, read.contents, read.grants, read.parts, check_space=space)


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
    checks, found = look_at_dump(shell, dump, loader, readable)
    granted: Grants | None = None
    if grants is not None:
        granted, check = look_at_grants(shell, grants)
        checks += [check_place(shell, grants, "grants", loader), check]
    return Files(tuple(checks), found, parse_parts(dump, found) if found else None, granted)


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
